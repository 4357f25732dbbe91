"""A consumer that does what a test says, in place of librdkafka's: what the poll loop does to it can be read off in order."""

import threading
from collections import deque

from confluent_kafka import Message as Record

from millstream.router import Assignment
from millstream.router.kafka.config import KafkaSubscriberConfig
from millstream.router.kafka.connection import ConnectionWatch
from millstream.router.kafka.delivery_buffer import DeliveryBuffer
from millstream.router.kafka.holdings import Holdings
from millstream.router.kafka.nacked import Nacked
from millstream.router.kafka.poll_loop import PollLoop
from millstream.router.worker_thread import WorkerThread

TOPIC = "events"


def record(offset, partition=0, value=b"v"):
    """Return a record as confluent-kafka hands it out."""
    return Record(topic=TOPIC, partition=partition, offset=offset, value=value, error=None)


class ScriptedConsumer:
    """Hands out what it is given, calls back what it is told to, and remembers what it was asked for."""

    def __init__(self):
        self.done = []
        """What the loop asked for, in order, but for polls."""
        self.polls = 0
        self.answers = deque()
        """What `committed` answers, call by call: an error to raise, or a function of the places that were asked for."""
        self.starts = {}
        """Where the partitions that were assigned last begin."""
        self.end = 7
        """Of every partition's log."""
        self._steps = deque()
        self._callbacks = {}
        self._mine = set()
        self._changed = threading.Condition()

    def give(self, *records):
        """Return *records* at the next poll."""
        self._steps.append(lambda: list(records))

    def do(self, step):
        """Call *step* inside a poll; what it returns is what the poll returns."""
        self._steps.append(step)

    def call(self, name, *partitions):
        """Report *partitions* as assigned, revoked or lost inside the next poll."""
        places = [Place(partition) for partition in partitions]
        self._steps.append(lambda: self._call(name, places))

    def _call(self, name, places):
        partitions = {each.partition for each in places}
        self._mine = self._mine | partitions if name == "assign" else self._mine - partitions
        return self._callbacks[name](self, places) or []

    def subscribe(self, topics, on_assign, on_revoke, on_lost):
        """Keep the callbacks."""
        self.done.append(("subscribe",))
        self._callbacks = {"assign": on_assign, "revoke": on_revoke, "lost": on_lost}

    def unsubscribe(self):
        """Drop the rest of the script and report what is still assigned as revoked."""
        self.done.append(("unsubscribe",))
        self._steps.clear()
        if self._mine:
            self.call("revoke", *sorted(self._mine))

    def consume(self, count, timeout):
        """Take the next step of the script; without one, wait a moment and return nothing."""
        self.polls += 1
        if self._steps:
            return self._steps.popleft()()
        with self._changed:
            self._changed.wait(0.001)
        return []

    def committed(self, places, timeout):
        """Take the next of the answers; without one nothing was ever committed."""
        answer = self.answers.popleft() if self.answers else list
        if isinstance(answer, BaseException):
            raise answer
        return answer(places)

    def get_watermark_offsets(self, place, timeout):
        """Return the bounds of the log."""
        return (0, self.end)

    def store_offsets(self, offsets):
        """Remember the offsets by partition."""
        self.done.append(("store", {each.partition: each.offset for each in offsets}))

    def commit(self, asynchronous):
        """Remember it."""
        self.done.append(("commit",))

    def pause(self, places):
        """Remember the partitions."""
        self.done.append(("pause", sorted(each.partition for each in places)))

    def resume(self, places):
        """Remember the partitions."""
        self.done.append(("resume", sorted(each.partition for each in places)))

    def assign(self, places):
        """Remember the partitions, and where each begins."""
        self.starts = {each.partition: each.offset for each in places}
        self.done.append(("assign", sorted(each.partition for each in places)))

    def unassign(self):
        """Remember it."""
        self.done.append(("unassign",))

    def close(self):
        """Remember it."""
        self.done.append(("close",))


class Place:
    """A topic and partition, by default without a committed offset."""

    topic = TOPIC

    def __init__(self, partition, offset=-1001, error=None):
        self.partition = partition
        self.offset = offset
        self.error = error


class Listener:
    """Remembers what it hears; `on_revoked` is called in a revoke."""

    def __init__(self, on_revoked=lambda assignments: None):
        self.assignments = {}
        self.lost_ones = []
        self._on_revoked = on_revoked

    def assigned(self, assignments):
        """Keep them by partition."""
        self.assignments.update({each.partition: each for each in assignments})

    def revoked(self, assignments, deadline):
        """Call what the test gave."""
        self._on_revoked(assignments)

    def lost(self, assignments):
        """Keep them."""
        self.lost_ones += assignments


class Loop:
    """A poll loop on a scripted consumer, running on a thread while the block lasts."""

    def __init__(self, listener, **options):
        config = KafkaSubscriberConfig(brokers=["nowhere:1"], group_id="g", **options)
        self.consumer = ScriptedConsumer()
        self.buffer = DeliveryBuffer(config.buffer_messages, config.buffer_bytes)
        self.holdings = Holdings(TOPIC, config.max_pending, self._assignment)
        nacked = Nacked(config.nack_resend_delay)
        watch = ConnectionWatch(config)
        self.loop = PollLoop(self.consumer, self.holdings, self.buffer, nacked, listener, config, watch)
        self._thread = WorkerThread("poll", self.loop.run)

    def _assignment(self, partition, epoch):
        return Assignment(TOPIC, partition, epoch, wake=self.loop.wake)

    @property
    def is_alive(self):
        """Whether its thread runs."""
        return self._thread.is_alive

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.loop.close()
        self._thread._thread.join(10)
        assert not self._thread.is_alive
        if self._thread.error is not None:
            raise self._thread.error
