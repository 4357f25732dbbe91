"""What goes wrong around the poll thread, on a consumer that a test plays: nothing stops silently, or too soon."""

import pytest
from confluent_kafka import OFFSET_END, KafkaError, KafkaException

from millstream.router import MONOTONIC, Assignment, ConfigurationError, Message, MillstreamError
from millstream.router.delivery.route import Route
from millstream.router.kafka import stall
from millstream.router.kafka.config import KafkaSubscriberConfig
from millstream.router.kafka.connection import ConnectionWatch
from millstream.router.kafka.consuming.oversize import set_aside
from millstream.router.kafka.consuming.owned_partitions import OwnedPartitions
from millstream.router.kafka.consuming.topic_identity import TopicIdentity
from millstream.router.kafka.consuming.topic_watch import MISSING_SECONDS, TopicWatch
from millstream.router.testing import eventually
from millstream.router.worker_thread import WorkerThread
from tests.router.kafka.scripted_consumer import TOPIC, Ids, Listener, Loop, ScriptedConsumer, handle, record

CONFIG = KafkaSubscriberConfig(brokers=["nowhere:1"], group_id="g")


def test_pause_of_an_earlier_stay_ends_with_the_next():
    """librdkafka keeps it over a rebalance: a partition that comes back while the buffer has room is read again."""
    listener = Listener()
    with Loop(listener, buffer_messages=2, pause_after=0.0) as loop:
        loop.deliver(1)
        loop.consumer.give(record(1), record(2))
        assert eventually(lambda: loop.consumer.paused == {0})
        assert loop.revoke()
        loop.consumer.call("assign", 0)
        was_resumed = eventually(lambda: loop.consumer.paused == set())

    assert was_resumed


def test_stalled_client_is_left_without_a_word_to_the_brokers(monkeypatch):
    """Its close, and a commit, would wait for them for ever; what it had is lost, and comes to another."""
    monkeypatch.setattr(stall, "PATIENCE_SECONDS", 0.0)
    listener = Listener()
    with Loop(listener) as loop:
        (message,) = loop.deliver(1)
        assignment = listener.assignments[0]
        handle(message)
        assert loop.polls_on()
        before = list(loop.consumer.done)
        loop.consumer.has_broker = False
        loop.stall.on_statistics('{"brokers": {}}')
        assert eventually(lambda: not loop.is_alive, 10.0)
        loop.loop.abandon()

    assert loop.consumer.done[len(before) :] == [("subscribe",)]
    assert listener.lost_ones == [assignment]
    assert assignment.is_closed
    assert loop.owned.books == {}


def test_consumer_that_cannot_be_replaced_keeps_what_it_has(monkeypatch):
    """As when a token does not come: it is polled on, and does not join again, by which it would give up its partitions."""
    monkeypatch.setattr(stall, "PATIENCE_SECONDS", 0.0)
    with Loop(Listener()) as loop:
        loop.deliver(1)
        loop.consumer.has_broker = False
        loop.stall.on_statistics('{"brokers": {}}')
        assert eventually(lambda: not loop.is_alive, 10.0)
        again = WorkerThread("poll again", loop.loop.run)
        again.start()
        loop.loop.close()
        assert again.join(MONOTONIC.now() + 10.0)

    assert loop.consumer.done.count(("subscribe",)) == 1


def fail(loop, code):
    """Give the loop an error in place of a record, and wait for the end of its thread."""
    with loop:
        loop.consumer.give(record(-1001, error=code))
        assert eventually(lambda: not loop.is_alive, 10.0)


def test_fatal_error_ends_the_subscription():
    """Nothing comes from such a client any more; in a poll the error does not call itself fatal."""
    with pytest.raises(ConfigurationError, match="group 'g'"):
        fail(Loop(Listener()), KafkaError._FATAL)


def fail_to_assign(loop, listener):
    """Let the client refuse an assignment, and wait for the end of the thread."""

    def refuse(places):
        raise KafkaException(KafkaError(KafkaError._CONFLICT))

    with loop:
        loop.consumer.assign = refuse
        loop.consumer.call("assign", 0)
        assert eventually(lambda: not loop.is_alive)


def test_failure_inside_a_callback_ends_the_thread_with_an_error():
    """It stays inside the callback: out of a poll of librdkafka's it comes as something that no `except` sees."""
    listener = Listener()
    loop = Loop(listener)
    with pytest.raises(MillstreamError, match="consumer of topic 'events' failed"):
        fail_to_assign(loop, listener)

    assert loop.consumer.leaks == []


def test_assignment_is_a_sign_of_life():
    """A topic without records does not leave open for ever whether our credentials are right."""
    with Loop(Listener()) as loop:
        loop.consumer.call("assign", 0)
        in_contact = eventually(lambda: loop.watch.is_in_contact)

    assert in_contact


def test_end_that_no_leader_tells_is_left_to_the_client():
    """The other partitions must not wait for one without a leader; what was not told is committed once the end is reached."""
    with Loop(Listener(), start_from="latest") as loop:
        loop.consumer.get_watermark_offsets = lambda place, timeout: None
        loop.consumer.call("assign", 0)
        assert eventually(lambda: loop.consumer.starts)
        assert loop.polls_on()
        before = list(loop.consumer.stores)
        loop.consumer.give(record(7, error=KafkaError._PARTITION_EOF))
        assert eventually(lambda: loop.consumer.stores)

    assert loop.consumer.starts == {0: OFFSET_END}
    assert (before, loop.consumer.stores) == ([], [{0: 7}])


class Brokers:
    """A client that asks for topics, and gets what the test says."""

    def __init__(self):
        self.looks = 0
        self.error = None

    def list_topics(self, topic, timeout):
        """Return what the brokers say of *topic*."""
        self.looks += 1
        return type("Metadata", (), {"topics": {topic: type("Found", (), {"error": self.error})()}})()


@pytest.fixture
def brokers():
    """Brokers that know the topic."""
    return Brokers()


def no_partitions():
    """Return what a consumer has that has had no partition yet."""
    return OwnedPartitions(TOPIC, 100, lambda partition, epoch: Assignment(TOPIC, partition, epoch))


def watch_of(brokers, owned):
    """Return what looks at the topic, where nobody tells its id."""
    return TopicWatch(
        brokers, owned, CONFIG, ConnectionWatch(CONFIG), TopicIdentity(TOPIC, CONFIG, Ids(ScriptedConsumer()))
    )


@pytest.fixture
def topic_watch(brokers):
    """Looks at a topic that partitions were given out of."""
    owned = no_partitions()
    owned.remove(owned.of(each.partition for each in owned.add([0])))
    return watch_of(brokers, owned)


def test_topic_that_never_was_is_an_error_at_once(brokers):
    """It may be a typing error: nothing waits for it."""
    with pytest.raises(ConfigurationError, match="create it with"):
        watch_of(brokers, no_partitions()).on_unknown()


def test_topic_that_is_unknown_for_a_moment_is_not_gone(brokers, topic_watch):
    """A broker that has just started may not know it yet."""
    topic_watch.on_unknown()
    brokers.error = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
    begin = topic_watch._next_look
    topic_watch.look(begin, has_partitions=True)
    topic_watch.look(begin + MISSING_SECONDS - 0.1, has_partitions=True)
    brokers.error = None
    topic_watch.look(begin + MISSING_SECONDS + 1.0, has_partitions=True)
    looks = brokers.looks
    topic_watch.look(begin + 100.0, has_partitions=True)

    assert looks == brokers.looks == 3


def test_topic_that_stays_unknown_is_gone(brokers, topic_watch):
    """Whether librdkafka reports it or it was only seen while no partition was ours."""
    brokers.error = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
    begin = topic_watch._next_look
    topic_watch.look(begin, has_partitions=False)

    with pytest.raises(ConfigurationError, match=TOPIC):
        topic_watch.look(begin + MISSING_SECONDS + 0.1, has_partitions=False)


def test_answer_after_an_outage_is_a_sign_of_life(brokers, topic_watch):
    """Nothing may come for hours on a quiet topic, and the outage is over all the same."""
    topic_watch._watch.outage = "all down"
    topic_watch.look(topic_watch._next_look, has_partitions=True)

    assert topic_watch._watch.is_in_contact
    assert topic_watch._watch.outage == ""


def test_large_message_of_an_assignment_that_has_closed_is_left_alone():
    """Its log was rewound in the same chunk: nobody can hold it any more, and it comes again."""
    assignment = Assignment(TOPIC, 0)
    assignment.route = Route("h", TOPIC, "S")
    assignment.close()
    message = Message(b"x" * 20, assignment=assignment)

    assert set_aside([message], 10) == [message]
    assert not message.delivery.is_started


def test_partition_that_is_assigned_twice_has_one_open_assignment():
    """Should the client lose count, the earlier one can commit nothing any more."""
    owned = OwnedPartitions(TOPIC, 10, lambda partition, epoch: Assignment(TOPIC, partition, epoch))
    (first,) = owned.add([0])
    (second,) = owned.add([0])

    assert first.is_closed
    assert owned.books[0].assignment is second
