"""Messages and the note that they are sent, in one transaction on a real broker."""

import contextlib

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from millstream.router import ConfigurationError, KafkaPublisherConfig, KafkaSubscriberConfig, Message, TransientError
from millstream.router.kafka.lag import Committed, GroupLag
from millstream.router.kafka.publishing.transactions import Fenced, NoteTooLong, Refused, TransactionalSender
from millstream.router.kafka.reading import read_topic
from millstream.router.testing import eventually
from tests.router.kafka.real_kafka import unique

pytestmark = pytest.mark.slow


class Stage:
    """Two topics, of which one takes only small messages, and one that offsets are committed of."""

    def __init__(self, kafka):
        self.brokers = [kafka.bootstrap_servers]
        self.noted = kafka.create_topic(1)
        self.topic = kafka.create_topic(1, {"max.message.bytes": "2000"})
        self.group = unique("group")
        self.reader = KafkaSubscriberConfig(brokers=self.brokers, group_id=self.group)

    def sender(self):
        """Return a sender that is open; all of them have one id."""
        sender = TransactionalSender(KafkaPublisherConfig(brokers=self.brokers), self.group, f"id-{self.group}")
        sender.open()
        return sender

    def send(self, sender, offset, *payloads, note=""):
        """Send *payloads*, and commit *offset*."""
        messages = [(self.topic, Message(each, uuid="u")) for each in payloads]
        sender.send(messages, self.noted, {0: Committed(offset, note)})

    def committed(self):
        """Return what is committed."""
        with contextlib.closing(GroupLag(self.reader, self.noted)) as lag:
            return lag.commits()

    def payloads(self):
        """Return what consumers of committed records see."""
        with contextlib.closing(GroupLag(self.reader, self.topic)) as lag:
            ends = lag.ends()
        return [each.payload for chunk in read_topic(self.reader, self.topic, ends.first, ends.end) for each in chunk]


@pytest.fixture
def stage(real_kafka):
    """Topics and a group that nobody else has."""
    return Stage(real_kafka)


def test_messages_and_note_are_there_together_or_not_at_all(stage):
    """Also where one message is refused, by the brokers or before, or the note is; what is sent afterwards is there."""
    with contextlib.closing(stage.sender()) as sender:
        stage.send(sender, 1, b"1", b"2", note="\N{SNOWMAN}")
        first = stage.committed()
        for error, payloads, note in (
            (Refused, [b"good", b"x" * 3000], ""),
            (Refused, [b"good", b"x" * 2_000_000], ""),
            (NoteTooLong, [b"good"], "x" * 5000),
        ):
            with pytest.raises(error):
                stage.send(sender, 99, *payloads, note=note)
            sender.open()
        stage.send(sender, 3, b"3")

    assert first == {0: Committed(1, "\N{SNOWMAN}")}
    assert stage.committed() == {0: Committed(3)}
    assert stage.payloads() == [b"1", b"2", b"3"]


def test_a_newer_sender_takes_over(stage):
    """The older one can neither send nor commit any more, and says so."""
    with contextlib.closing(stage.sender()) as older:
        stage.send(older, 1, b"1")
        with contextlib.closing(stage.sender()) as newer:
            with pytest.raises(Fenced):
                stage.send(older, 9, b"9")
            stage.send(newer, 2, b"2")

    assert stage.committed() == {0: Committed(2)}
    assert stage.payloads() == [b"1", b"2"]


def test_what_a_killed_process_has_left_open_is_ended_by_the_next_sender(stage):
    """Until then it is waited for by who asks what is committed, but for who says that he does not want to."""
    with contextlib.closing(stage.sender()) as sender:
        stage.send(sender, 1, b"1")
    killed = Producer({"bootstrap.servers": stage.brokers[0], "transactional.id": f"id-{stage.group}"})
    asker = Consumer({"bootstrap.servers": stage.brokers[0], "group.id": stage.group})
    killed.init_transactions(60)
    killed.begin_transaction()
    killed.produce(stage.topic, b"open")
    killed.flush(60)
    killed.send_offsets_to_transaction([TopicPartition(stage.noted, 0, 9)], asker.consumer_group_metadata(), 60)
    asker.close()
    with contextlib.closing(GroupLag(stage.reader, stage.noted, is_stable=False)) as lag:
        before = lag.commits(20.0)
    with contextlib.closing(GroupLag(stage.reader, stage.noted)) as lag, pytest.raises(TransientError):
        lag.commits(0.5)
    with contextlib.closing(stage.sender()):
        after = stage.committed()

    assert before == after == {0: Committed(1)}
    assert stage.payloads() == [b"1"]


def test_a_group_with_members_is_refused(stage):
    """Its offsets are a consumer's: what is committed outside of a transaction is refused by the brokers."""
    member = Consumer({"bootstrap.servers": stage.brokers[0], "group.id": stage.group})
    with contextlib.closing(member), contextlib.closing(stage.sender()) as sender:
        sender.commit_alone(stage.noted, {0: Committed(5, "note")})
        noted = stage.committed()
        member.subscribe([stage.noted])
        assert eventually(lambda: member.poll(0.1) is not None or member.assignment(), 60.0)
        with pytest.raises(ConfigurationError, match="has members"):
            sender.commit_alone(stage.noted, {0: Committed(6)})

    assert noted == {0: Committed(5, "note")}


def test_a_topic_is_read_up_to_where_it_ended(real_kafka, stage):
    """Past what transactions leave between records, from where retention has it, and not beyond."""
    with contextlib.closing(stage.sender()) as sender:
        for offset in range(5):
            stage.send(sender, offset, b"%d" % offset)
        with contextlib.closing(GroupLag(stage.reader, stage.topic)) as lag:
            end = lag.ends().end
        stage.send(sender, 9, b"late")
    real_kafka.delete_records(stage.topic, 0, 3)
    read = [each for chunk in read_topic(stage.reader, stage.topic, {0: 0}, end) for each in chunk]

    assert end == {0: 10}, "a control record behind each of five"
    assert [(each.offset, each.payload, each.uuid) for each in read] == [(4, b"2", "u"), (6, b"3", "u"), (8, b"4", "u")]
