"""What becomes of a poison record that is replayed."""

import pytest

from millstream.handlers.cli.dlq.records import PoisonRecord
from millstream.handlers.cli.dlq.sending_back import Left, Rules
from millstream.router import Message
from millstream.router.delivery.failure import Failure
from millstream.router.poison.record import cut, poison_record
from tests.handlers.cli.dlq.poison_aids import poisoned


def record_of(message):
    """Return *message* as it comes out of a poison topic."""
    read = Message(message.payload, uuid=message.uuid, metadata=dict(message.metadata), key=message.key, topic="dlq")
    return PoisonRecord(read, "dlq", 0, 1)


def test_a_message_goes_back_as_it_came():
    """To its own topic; what its record says beside is gone, and one replay is counted."""
    back = Rules().judge(record_of(poisoned("e-1", "events")))

    assert (back.topic, back.message.uuid, back.message.key) == ("events", "e-1", b"k")
    assert back.message.payload == poisoned("e-1", "events").payload
    assert back.message.metadata == {"tenant": "a", "replays_poisoned": "1"}


def test_a_message_that_fails_again_and_again_is_left_in_the_end():
    """The count goes with it through each of its records."""
    rules, record = Rules(max_replays=3), record_of(poisoned("e-1", "events"))
    counts = []
    for _ in range(5):
        back = rules.judge(record)
        if isinstance(back, Left):
            break
        counts.append(back.message.metadata["replays_poisoned"])
        back.message.topic = back.topic
        record = record_of(poison_record(back.message, Failure(ValueError("again"))))

    assert back is Left.REPLAYED
    assert counts == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("message", "to", "left"),
    [
        pytest.param(cut(poisoned("e-1", "events")), "events", Left.CUT, id="cut"),
        pytest.param(Message(b"x"), None, Left.NO_TOPIC, id="foreign"),
        pytest.param(Message(b"x", metadata={"topic_poisoned": "no topic!"}), None, Left.NO_TOPIC, id="no name"),
        pytest.param(Message(b"x", metadata={"topic_poisoned": "dlq"}), None, Left.OWN, id="its own poison topic"),
    ],
)
def test_what_cannot_go_is_left(message, to, left):
    """Each for a reason that says what to do."""
    assert Rules(to=to).judge(record_of(message)) is left


def test_what_says_no_topic_goes_where_it_is_told():
    """The others go home nevertheless."""
    rules = Rules(to="events_lazy")
    foreign, own = rules.judge(record_of(Message(b"x", uuid="1"))), rules.judge(record_of(poisoned("e-1", "events")))

    assert (foreign.topic, foreign.message.payload, own.topic) == ("events_lazy", b"x", "events")
