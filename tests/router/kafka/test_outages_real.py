"""A real broker that freezes, or is killed and comes back: nothing ends, nothing is lost, and both moments are said once."""

import itertools
import threading

import pytest

from millstream.router import MONOTONIC, Message, Router
from millstream.router.kafka import KafkaPublisher, KafkaPublisherConfig, KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.testing import eventually, running
from millstream.router.worker_thread import WorkerThread

PARTITIONS = 3
CATCH_UP_SECONDS = 90.0
"""What the group may take, after the broker's return, until all is settled and committed; the group's own times are 6 s."""
TOLD_SECONDS = 60.0
GONE = "no Kafka broker can be reached"
CLIENTS = 2
"""That say so: the publisher and the subscriber."""
BEFORE = 500
"""Messages settled before anything happens to the broker."""
PROTOCOLS = [
    pytest.param({"session_timeout": 6.0, "heartbeat_interval": 0.5}, id="classic"),
    pytest.param({"group_protocol": "consumer"}, id="KIP-848", marks=pytest.mark.soak),
]
OUTAGES = [
    pytest.param("frozen", 10.0, id="frozen"),  # longer than a session
    pytest.param("killed", 5.0, id="killed"),
    pytest.param("frozen", 60.0, id="frozen long", marks=pytest.mark.soak),
    pytest.param("killed", 60.0, id="killed long", marks=pytest.mark.soak),
]


class Traffic:
    """A publisher that goes on throughout, and a router that handles what it publishes and releases holds later."""

    def __init__(self, kafka, topic, options):
        self._kafka = kafka
        brokers = [kafka.bootstrap_servers]
        self._publisher = KafkaPublisher(KafkaPublisherConfig(brokers=brokers))
        config = KafkaSubscriberConfig(brokers=brokers, group_id=topic, commit_interval=0.2, **options)
        self.router = Router()
        self.router.add_consumer_handler("hold", topic, KafkaSubscriber(config), self._hold)
        self._topic = topic
        self._is_ending = threading.Event()
        self._is_over = threading.Event()
        self._holds = []
        self.settled = set()
        self.published = 0
        self._threads = [WorkerThread("publishing", self._publish), WorkerThread("releasing", self._release)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # A test that has failed leaves nothing behind that would speak up in the next.
        self._is_ending.set()
        self._is_over.set()
        self._publisher.close()

    def start(self):
        """Begin to publish and to release."""
        for thread in self._threads:
            thread.start()

    def end(self):
        """Publish no more, wait for what is on the way, to be settled."""
        self._is_ending.set()
        assert eventually(lambda: not self._threads[0].is_alive, CATCH_UP_SECONDS)
        assert eventually(self._is_all_settled, CATCH_UP_SECONDS)

    def _is_all_settled(self):
        self._kafka.mend()
        return len(self.settled) == self.published

    def stop(self):
        """Release no more: until now what came again after a lost assignment was held again."""
        self._is_over.set()
        for thread in self._threads:
            assert eventually(lambda thread=thread: not thread.is_alive, CATCH_UP_SECONDS), thread.name
            if thread.error is not None:
                raise thread.error

    def _hold(self, message):
        self._holds.append(message.hold("traffic"))

    def _publish(self):
        for number in itertools.count():
            if self._is_ending.wait(0.002):
                return
            key = str(number % 10).encode()
            self._publisher.publish_async(self._topic, Message(str(number).encode(), key=key))
            self.published = number + 1

    def _release(self):
        while not self._is_over.wait(0.05):
            for hold in list(self._holds):
                self._holds.remove(hold)
                self.settled.add((hold.message.partition, hold.message.offset))
                hold.release()


def count(lines, text):
    """Return how many of *lines* have *text*."""
    return sum(text in line for line in lines)


@pytest.mark.parametrize("options", PROTOCOLS)
@pytest.mark.parametrize(("outage", "away_seconds"), OUTAGES)
def test_broker_that_is_away_is_waited_for(own_kafka, log_lines, options, outage, away_seconds):
    """No exit, one warning and one line at the return, and everything that was published is settled and committed."""
    topic = own_kafka.create_topic(PARTITIONS)
    pause = threading.Event()
    with Traffic(own_kafka, topic, options) as traffic, running(traffic.router):
        traffic.start()
        assert eventually(lambda: len(traffic.settled) >= BEFORE, CATCH_UP_SECONDS)
        if outage == "frozen":
            own_kafka.freeze()
            pause.wait(away_seconds)
            own_kafka.thaw()
        else:
            own_kafka.kill()
            pause.wait(away_seconds)
            assert eventually(lambda: count(log_lines, GONE) >= CLIENTS, TOLD_SECONDS)
            own_kafka.start()
        returned = MONOTONIC.now()
        is_running = traffic.router.is_running
        traffic.end()
        ends = own_kafka.end_offsets(topic)
        assert eventually(lambda: own_kafka.committed(topic, topic) == ends, CATCH_UP_SECONDS)
        seconds = MONOTONIC.now() - returned
        traffic.stop()

    assert is_running
    assert seconds <= CATCH_UP_SECONDS
    assert sum(ends.values()) == traffic.published
    assert traffic.settled == {(partition, offset) for partition, end in ends.items() for offset in range(end)}
    if outage == "killed":
        gone, back = count(log_lines, GONE), count(log_lines, "Kafka brokers are back")
        # A broker that starts may answer and be gone again, or has to be mended: each time is said once, and so is its end.
        assert gone == back
        assert CLIENTS <= gone <= 3 * CLIENTS
