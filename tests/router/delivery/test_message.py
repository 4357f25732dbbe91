"""What a message is, and the words that can be spoken on it."""

import uuid

import pytest

from millstream.router import Assignment, Message
from tests.router.delivery.model.stand_ins import StepSink, handle, routed, start_chain


def test_message_of_no_broker_has_empty_defaults():
    """Only the payload is needed: a random uuid, no metadata, no place."""
    message = Message(b"x")

    assert uuid.UUID(message.uuid).version == 4
    assert (message.metadata, message.key, message.topic, message.timestamp) == ({}, None, "", None)
    assert (message.partition, message.offset, message.redeliveries) == (-1, -1, 0)


def test_every_message_has_its_own_uuid_and_metadata():
    """Defaults are not shared between messages."""
    first, second = Message(b""), Message(b"")

    first.metadata["a"] = "1"

    assert second.metadata == {}
    assert first.uuid != second.uuid


@pytest.mark.parametrize(
    ("other", "is_equal"),
    [
        pytest.param(Message(b"x", uuid="u", metadata={"a": "1"}), True, id="same content"),
        pytest.param(Message(b"x", uuid="u", metadata={"a": "1"}, key=b"k", offset=7), True, id="place does not count"),
        pytest.param(Message(b"y", uuid="u", metadata={"a": "1"}), False, id="payload"),
        pytest.param(Message(b"x", uuid="v", metadata={"a": "1"}), False, id="uuid"),
        pytest.param(Message(b"x", uuid="u", metadata={}), False, id="metadata"),
        pytest.param("x", False, id="not a message"),
    ],
)
def test_messages_are_equal_by_uuid_payload_and_metadata(other, is_equal):
    """Equality is the one of the original: what was said, not where it stood."""
    message = Message(b"x", uuid="u", metadata={"a": "1"})

    assert (message == other) is is_equal
    assert (message != other) is not is_equal


def test_message_cannot_be_hashed():
    """Equal messages may change apart, so none is a key."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(Message(b"x"))


def test_repr_names_the_message_and_its_place_but_not_what_is_in_it():
    """A log line says which message, never its payload, key or metadata."""
    message = Message(
        b"secret-1", uuid="u", metadata={"a": "secret-2"}, key=b"secret-3", topic="t", partition=2, offset=5
    )

    assert repr(message) == "<Message u, 8 bytes, t[2]@5>"
    assert repr(Message(b"ab", uuid="u")) == "<Message u, 2 bytes>"
    assert repr(Message(b"ab", uuid="")) == "<Message, 2 bytes>"


def test_first_word_counts():
    """An ack after a nack, or a nack after an ack, returns False and changes nothing."""
    acked, nacked = Message(b""), Message(b"")

    assert acked.ack()
    assert not acked.nack()
    assert nacked.nack()
    assert not nacked.ack()
    assert (acked.is_acked, acked.is_nacked) == (True, False)
    assert (nacked.is_acked, nacked.is_nacked) == (False, True)


def test_same_word_may_be_repeated():
    """A second ack or nack is as good as the first."""
    acked, nacked = Message(b""), Message(b"")

    assert [acked.ack(), acked.ack()] == [True, True]
    assert [nacked.nack(), nacked.nack()] == [True, True]


def test_restart_makes_the_message_undecided_and_counts_the_redelivery():
    """After a nack the next delivery starts over."""
    message = Message(b"")
    message.nack()

    message.delivery.restart()

    assert (message.is_nacked, message.redeliveries) == (False, 1)
    assert message.ack()


def test_message_of_no_subscription_may_be_acked_nacked_and_held():
    """A message that somebody made for a test goes through every handler."""
    message = Message(b"")

    hold = message.hold("owner")
    hold.fail(ValueError())
    hold.release()

    assert message.ack()
    assert not message.is_settled
    assert Message(b"").nack()


def test_ack_outside_a_router_wakes_the_subscription():
    """Nobody else would tell it that the message has settled."""
    wakes = []
    message = Message(b"", assignment=Assignment("t", 0, wake=lambda: wakes.append(1)))

    message.ack()

    assert wakes == [1]


def test_ack_inside_a_chain_wakes_nobody():
    """The router settles whole chunks; a wake per message would cost more than all the rest."""
    wakes = []
    message = Message(b"", assignment=Assignment("t", 0, wake=lambda: wakes.append(1)))
    start_chain(message)

    message.ack()

    assert wakes == []


def test_nack_outside_a_router_asks_once_for_a_redelivery():
    """A repeated nack does not deliver the message twice."""
    asked = []
    message = Message(b"", assignment=Assignment("t", 0, redeliver=asked.append))

    message.nack()
    message.nack()

    assert asked == [message]


def test_nack_inside_a_chain_leaves_the_redelivery_to_the_router():
    """The router sees the word when the chain returns."""
    asked = []
    message = Message(b"", assignment=Assignment("t", 0, redeliver=asked.append))
    start_chain(message)

    message.nack()

    assert (asked, message.is_nacked) == ([], True)


def test_context_is_made_once():
    """What a middleware puts into the context is there for the next one."""
    message = Message(b"")
    message.context.values["a"] = 1

    assert message.context.values == {"a": 1}


@pytest.mark.parametrize("begin", [Message.ack, Message.nack, lambda m: m.hold("owner"), start_chain])
def test_message_is_started_once_anybody_has_begun_with_it(begin):
    """A chain, an ack, a nack or a hold: from then on a revoke has to wait for it."""
    message = Message(b"")
    was_started = message.delivery.is_started

    begin(message)

    assert (was_started, message.delivery.is_started) == (False, True)


def test_copy_has_the_same_content_and_metadata_of_its_own():
    """Changing the copy's metadata leaves the original alone."""
    message = Message(b"x", uuid="u", metadata={"a": "1"}, key=b"k", topic="t", partition=1, offset=2, timestamp=3.0)
    message.delivery.restart()

    copy = message.copy()

    assert copy == message
    assert (copy.key, copy.topic, copy.partition, copy.offset, copy.timestamp) == (b"k", "t", 1, 2, 3.0)
    assert copy.redeliveries == 1
    copy.metadata["a"] = "2"
    assert message.metadata == {"a": "1"}


def test_copy_shares_the_words_and_holds_of_its_original():
    """Whoever got the copy decides for both."""
    message = Message(b"", assignment=routed())
    start_chain(message)

    hold = message.copy().copy().hold("owner")

    assert message.hold("owner") == hold
    assert message.is_held
    message.copy().ack()
    assert (message.is_acked, message.copy().is_acked, message.copy().delivery.is_started) == (True, True, True)
    handle(message)
    assert not message.copy().is_settled
    message.copy().delivery.release("owner")
    assert (message.is_held, message.copy().is_held, message.is_settled, message.copy().is_settled) == (
        False,
        False,
        True,
        True,
    )


def test_copy_shares_nack_and_failure_of_its_original():
    """A nack and a failed hold on the copy are the original's."""
    nacked, failed, error = Message(b""), Message(b""), ValueError()

    nacked.copy().nack()
    failed.copy().delivery.hold("owner")
    failed.copy().fail(error, "owner")

    assert (nacked.is_nacked, nacked.copy().is_nacked) == (True, True)
    assert [f.error for f in failed.failures] == [f.error for f in failed.copy().failures] == [error]


def test_copy_shares_the_context_of_its_original():
    """Values and deadline belong to the delivery."""
    message = Message(b"")

    message.copy().context.values["a"] = 1

    assert message.context.values == {"a": 1}


def test_poisoned_copy_poisons_its_original():
    """A middleware that hands on a copy must not let the original settle before the record is safe."""
    sink = StepSink()
    message = Message(b"", assignment=routed(sink))
    start_chain(message)

    sink.take(message.copy(), ValueError("bad"))
    handle(message)

    assert (message.is_void, message.copy().is_void, message.is_settled) == (True, True, False)
    sink.write()
    assert message.is_settled
