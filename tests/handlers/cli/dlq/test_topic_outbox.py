"""What a replay commits with what it sends, and what it makes of what is committed."""

import random

import pytest

from millstream.handlers.cli.dlq.ledger import Ledger, LedgerFull
from millstream.handlers.cli.dlq.records import PoisonRecord
from millstream.handlers.cli.dlq.sending_back import Back
from millstream.handlers.cli.dlq.topic_outbox import TopicOutbox, check_committed, noted, read_ledgers
from millstream.router import ConfigurationError, Message, TransientError
from millstream.router.kafka.lag import Committed, TopicEnds
from millstream.router.kafka.publishing.transactions import Fenced, NoteTooLong, Refused

ENDS = TopicEnds(first={0: 0, 1: 0}, end={0: 10, 1: 10})


class Brokers:
    """Takes what is sent and committed together, unless it *fails* first; both sender and lag of an outbox."""

    def __init__(self):
        self.sent = []
        self.committed = {0: Committed(0), 1: Committed(0)}
        self.fails = []
        self.opened = 0

    def open(self):
        """Take over."""
        self.opened += 1

    def send(self, messages, topic, commits):
        """All or nothing."""
        if self.fails:
            raise self.fails.pop(0)
        self.sent += [message.uuid for _, message in messages]
        self.committed.update(commits)

    def commits(self):
        """What is committed."""
        return dict(self.committed)


def item(offset, partition=0, *, is_sent=True):
    """Return a record, and its message if it is sent."""
    uuid = f"{partition}-{offset}"
    record = PoisonRecord(Message(b"x", uuid=uuid), "dlq", offset, offset + 1, partition)
    return record, Back("events", Message(b"x", uuid=uuid)) if is_sent else None


@pytest.fixture
def brokers():
    """Brokers that have taken nothing yet."""
    return Brokers()


@pytest.fixture
def outbox(brokers):
    """An outbox on them."""
    return TopicOutbox("dlq", brokers, brokers, read_ledgers(brokers.commits(), ENDS, "dlq", "group"))


def test_what_is_sent_is_noted_with_it(brokers, outbox):
    """By partition; what is not sent but done with is noted as well."""
    outbox.send([item(0), item(1, is_sent=False), item(4), item(2, partition=1)])
    ledgers = read_ledgers(brokers.commits(), ENDS, "dlq", "group")

    assert brokers.sent == ["0-0", "0-4", "1-2"]
    assert (ledgers[0].position, ledgers[0].runs) == (2, [(4, 5)])
    assert (ledgers[1].position, ledgers[1].runs) == (0, [(2, 3)])


def test_what_is_refused_is_not_noted_and_the_rest_goes_on(brokers, outbox):
    """With a sender that is opened anew."""
    brokers.fails = [Refused("too large")]
    with pytest.raises(Refused):
        outbox.send([item(0), item(1)])
    outbox.send([item(1)])

    assert (brokers.sent, brokers.opened) == (["0-1"], 1)
    assert read_ledgers(brokers.commits(), ENDS, "dlq", "group")[0].runs == [(1, 2)]


def test_a_replay_that_has_sent_in_the_meantime_is_not_sent_over(brokers, outbox):
    """To open anew takes over from whoever was there, with what this one knew before: that may be old."""
    brokers.fails = [Refused("too large")]
    with pytest.raises(Refused):
        outbox.send([item(0), item(1)])
    brokers.committed[0] = Committed(2)
    with pytest.raises(Fenced):
        outbox.send([item(0)])

    assert brokers.sent == []


def test_an_outcome_that_is_unknown_is_looked_up_before_anything_is_sent(brokers, outbox):
    """What is not confirmed may be there."""
    brokers.fails = [TransientError("no answer")]
    with pytest.raises(TransientError):
        outbox.send([item(0)])
    brokers.committed[0] = Committed(1)
    with pytest.raises(Fenced):
        outbox.send([item(0)])

    assert brokers.sent == []


def test_more_pieces_than_can_be_noted_end_it_before_they_are_sent(brokers):
    """What was noted before stays noted, and the error says what to do."""
    draw = random.Random(1)
    ledger = Ledger()
    for offset in range(1, 60_000):
        if draw.random() < 0.5:
            ledger.add(offset, offset + 1)
    with pytest.raises(LedgerFull, match=r"topic dlq, partition 0: .* go on without a filter"):
        noted({0: ledger}, "dlq")


def test_brokers_that_keep_shorter_notes_end_it_with_their_setting(brokers, outbox):
    """Nothing of it is sent."""
    brokers.fails = [NoteTooLong("too large")]
    with pytest.raises(ConfigurationError, match=r"offset\.metadata\.max\.bytes"):
        outbox.send([item(3)])


def test_retention_counts_as_done_with():
    """What is committed of it, as well as what never was."""
    ends = TopicEnds(first={0: 5, 1: 3}, end={0: 10, 1: 10})
    ledgers = read_ledgers({0: Committed(2)}, ends, "dlq", "group")

    assert {partition: ledger.position for partition, ledger in ledgers.items()} == {0: 5, 1: 3}


def test_a_topic_that_was_made_anew_is_not_taken_for_the_old_one():
    """What was replayed of that is beyond its end."""
    with pytest.raises(ConfigurationError, match="ends at 10, but group 'group' has replayed it up to 11"):
        check_committed({0: Committed(11)}, ENDS, "dlq", "group")


def test_a_replay_that_came_further_than_we_have_looked_is_no_fault():
    """It began later, and took over; nothing is left for this one."""
    check_committed({0: Committed(10)}, ENDS, "dlq", "group")
    ledgers = read_ledgers({0: Committed(15)}, ENDS, "dlq", "group")

    assert ledgers[0].position == 15


def test_a_group_of_somebody_else_is_refused_by_its_note():
    """It is named with the topic."""
    with pytest.raises(ConfigurationError, match=r"group 'group' of topic dlq, partition 0: .* another group"):
        read_ledgers({0: Committed(1, "streams")}, ENDS, "dlq", "group")
