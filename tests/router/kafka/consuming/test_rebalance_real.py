"""Members of one group that come and go on a real broker, with each way of sharing partitions.

The mock brokers refuse a commit while a group rebalances; only a real one shows what a revoke commits.
"""

import threading

import pytest
from confluent_kafka import Producer

from millstream.router import Router
from millstream.router.delivery.revoke_wait import USER_HOLD_SECONDS
from millstream.router.kafka.config import KafkaSubscriberConfig
from millstream.router.kafka.consuming.subscriber import KafkaSubscriber
from millstream.router.testing import FakeWorker, RecordingHandler, eventually, running

PARTITIONS = 4
MESSAGES = 50
TIMEOUT = 90.0
REVOKE_SECONDS = 60.0
PROTOCOLS = [
    pytest.param({"assignment_strategy": "range"}, id="range"),
    pytest.param({"assignment_strategy": "cooperative-sticky"}, id="cooperative"),
    pytest.param({"group_protocol": "consumer"}, id="KIP-848"),
]


def produce(kafka, topic, text):
    """Write the same number of messages to each partition."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    for partition in range(PARTITIONS):
        for number in range(MESSAGES):
            producer.produce(topic, f"{text}-{partition}-{number}".encode(), partition=partition)
    assert producer.flush(TIMEOUT) == 0


def member(kafka, topic, handler, **options):
    """Return a router with one member of the topic's group."""
    config = KafkaSubscriberConfig(
        brokers=[kafka.bootstrap_servers], group_id=topic, heartbeat_interval=0.5, commit_interval=0.2, **options
    )
    router = Router()
    router.add_consumer_handler("h", topic, KafkaSubscriber(config), handler)
    return router


@pytest.mark.parametrize("options", PROTOCOLS)
def test_second_member_gets_its_share_and_nothing_twice(real_kafka, options):
    """A revoke waits for the holds of its partitions and commits them before they go: nothing is delivered again."""
    topic = real_kafka.create_topic(PARTITIONS)
    produce(real_kafka, topic, "old")
    holds, first, second = [], RecordingHandler(), RecordingHandler()
    # Releases what it holds later after a revoke has asked it to than anybody would wait for a user, on a thread of its own.
    worker = FakeWorker("batcher", on_seal=lambda gone: threading.Timer(USER_HOLD_SECONDS + 0.5, release).start())

    def hold(message):
        holds.append(message.hold(worker))
        first(message)

    def release():
        for each in list(holds):
            each.release()

    router = member(real_kafka, topic, hold, **options)
    router.add_worker(worker)
    with running(router):
        assert first.wait_calls(PARTITIONS * MESSAGES, timeout=TIMEOUT)
        with running(member(real_kafka, topic, second, **options)):
            assert eventually(
                lambda: real_kafka.committed(topic, topic) == dict.fromkeys(range(PARTITIONS), MESSAGES), TIMEOUT
            )
            produce(real_kafka, topic, "new")
            everything = 2 * PARTITIONS * MESSAGES
            assert eventually(lambda: len(first.payloads) + len(second.payloads) >= everything, TIMEOUT)
            release()

    assert len(first.payloads) + len(second.payloads) == everything
    assert second.payloads
    assert all(payload.startswith(b"new") for payload in second.payloads)


class Hoarder(FakeWorker):
    """Releases nothing; looks whether what goes is still its own when a user's holds would not be waited for any more."""

    def __init__(self):
        super().__init__("hoarder", on_seal=self._look_later)
        self.is_sealed = threading.Event()
        self.were_void = []
        self._holds = []

    def take(self, message):
        """Hold *message*."""
        self._holds.append(message.hold(self))

    def _look_later(self, gone):
        going = [each for each in self._holds if each.message.assignment in gone]
        threading.Timer(2 * USER_HOLD_SECONDS, lambda: self.were_void.append([e.is_void for e in going])).start()
        self.is_sealed.set()


@pytest.mark.parametrize("options", PROTOCOLS)
def test_worker_that_never_releases_loses_its_partitions_at_the_deadline(real_kafka, options):
    """A revoke waits for a worker longer than for a user, but not for ever: others get its messages, uncommitted."""
    topic, worker, committed = real_kafka.create_topic(PARTITIONS), Hoarder(), []
    produce(real_kafka, topic, "old")

    def look(message):
        if not committed:
            committed.append(real_kafka.committed(topic, topic))

    first, second = RecordingHandler(answer=worker.take), RecordingHandler(answer=look)
    # 4 s for a revoke, with the newer protocol 10; without that bound the group would wait for two minutes.
    options = {"max_poll_interval": 120.0, "session_timeout": 8.0, **options}
    router = member(real_kafka, topic, first, **options)
    router.add_worker(worker)
    with running(router):
        assert first.wait_calls(PARTITIONS * MESSAGES, timeout=TIMEOUT)
        with running(member(real_kafka, topic, second, **options)):
            assert worker.is_sealed.wait(TIMEOUT)
            assert second.wait_calls(1, REVOKE_SECONDS), "the revoke goes on past its deadline"
            assert second.wait_calls(MESSAGES, timeout=TIMEOUT)

            def theirs():
                return {int(payload.split(b"-")[1]) for payload in list(second.payloads)}

            assert eventually(lambda: real_kafka.committed(topic, topic) == dict.fromkeys(theirs(), MESSAGES), TIMEOUT)

    assert not any(worker.were_void[0])
    assert committed == [{}]
    assert set(second.payloads) <= set(first.payloads)
    assert worker.abandoned == []


@pytest.mark.parametrize("options", PROTOCOLS)
def test_what_was_not_settled_when_a_partition_went_comes_again(real_kafka, options):
    """A user's holds that outlast their second commit nothing: the next owner gets their messages."""
    topic = real_kafka.create_topic(PARTITIONS)
    produce(real_kafka, topic, "old")
    holds, first, second = [], RecordingHandler(), RecordingHandler()

    def hold(message):
        holds.append(message.hold(holds))
        first(message)

    options = {"max_poll_interval": 10.0, "session_timeout": 8.0, **options}
    with running(member(real_kafka, topic, hold, **options)):
        assert first.wait_calls(PARTITIONS * MESSAGES, timeout=TIMEOUT)
        with running(member(real_kafka, topic, second, **options)):
            assert second.wait_calls(MESSAGES, timeout=TIMEOUT)
            for each in list(holds):
                each.release()

    assert set(second.payloads) <= set(first.payloads)
    assert len(second.payloads) >= MESSAGES
