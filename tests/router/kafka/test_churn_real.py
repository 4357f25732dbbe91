"""Members that come and go in order, also in the middle of rebalances: everything is handled, and nothing twice."""

import random
import threading
import time

import pytest
from confluent_kafka import Producer

from millstream.router import KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.testing import eventually
from millstream.router.worker_thread import WorkerThread
from tests.router.kafka.churn.work import Batched, Plain

pytestmark = pytest.mark.soak

PARTITIONS, SECONDS = 6, 40.0
PAUSES = [0.05, 0.3, 1.0, 2.5, 3.2, 4.0]
"""Between two that come or go: shorter than a rebalance, about as long, and longer."""
PROTOCOLS = [
    pytest.param({"session_timeout": 10.0, "assignment_strategy": "range"}, id="range"),
    pytest.param({"session_timeout": 10.0, "assignment_strategy": "cooperative-sticky"}, id="cooperative"),
    pytest.param({"group_protocol": "consumer"}, id="KIP-848"),
]
CATCH_UP_SECONDS, END_SECONDS = 60.0, 120.0


class Feed:
    """Publishes numbers, a few hundred a second, until it is told to stop."""

    def __init__(self, brokers, topic):
        self.sent = 0
        self._topic = topic
        self._producer = Producer({"bootstrap.servers": brokers, "linger.ms": 2, "log_level": 0})
        self._done = threading.Event()
        self._thread = WorkerThread("feeding", self._run)

    def start(self):
        """Begin."""
        self._thread.start()

    def stop(self):
        """End; everything is in the topic when it returns."""
        self._done.set()
        assert self._thread.join(time.monotonic() + END_SECONDS)
        assert self._thread.error is None

    def _run(self):
        while not self._done.wait(0.02):
            for _ in range(6):
                self._producer.produce(self._topic, b"%d" % self.sent, key=b"key %d" % (self.sent % 37))
                self.sent += 1
            self._producer.poll(0)
        assert self._producer.flush(END_SECONDS) == 0


class Members:
    """The routers of one group."""

    def __init__(self, work, topic, config, chance):
        self.errors = []
        self._work = work
        self._topic = topic
        self._config = config
        self._chance = chance
        self._running = []
        self._closing = []
        self._count = 0

    def churn(self, seconds):
        """Let members come and go for so long."""
        ends_at, pause = time.monotonic() + seconds, threading.Event()
        while time.monotonic() < ends_at:
            if len(self._running) < 3 or (len(self._running) < 5 and self._chance.random() < 0.5):
                self._join()
            else:
                self._close(self._running.pop(self._chance.randrange(len(self._running))))
            pause.wait(self._chance.choice(PAUSES))

    def _join(self):
        self._count += 1
        config = KafkaSubscriberConfig(**self._config, commit_interval=self._chance.choice([0.2, 1.0, 5.0]))
        router = self._work.router(f"member-{self._count}", self._topic, KafkaSubscriber(config))
        router.start()
        self._running.append(router)

    def _close(self, router):
        thread = WorkerThread("closing", router.close)
        thread.start()
        self._closing.append(thread)

    def close(self):
        """Close all that are left; returns what closes have raised."""
        while self._running:
            self._close(self._running.pop())
        assert all(thread.join(time.monotonic() + END_SECONDS) for thread in self._closing)
        return [thread.error for thread in self._closing if thread.error is not None]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("options", PROTOCOLS)
@pytest.mark.parametrize("kind", [Plain, Batched])
def test_members_that_come_and_go_in_order_handle_everything_once(real_kafka, kind, options, seed):
    """Nothing is missing, nothing was stored or poisoned twice, and the commit is at the end."""
    chance, topic = random.Random(seed), real_kafka.create_topic(PARTITIONS)
    work, feed = kind(chance), Feed(real_kafka.bootstrap_servers, topic)
    config = {"brokers": [real_kafka.bootstrap_servers], "group_id": topic, **options}
    members = Members(work, topic, config, chance)
    feed.start()
    try:
        members.churn(SECONDS)
    finally:
        feed.stop()
    caught_up = eventually(lambda: len(work.done.keys() | work.poisoned.count.keys()) == feed.sent, CATCH_UP_SECONDS)
    errors = members.close()
    missing = set(range(feed.sent)) - work.done.keys() - work.poisoned.count.keys()

    assert (errors, missing) == ([], set())
    assert caught_up
    assert {number for number, times in (work.done + work.poisoned.count).items() if times > 1} == set()
    ends = real_kafka.end_offsets(topic)
    assert real_kafka.committed(topic, topic) == {partition: end for partition, end in ends.items() if end}
