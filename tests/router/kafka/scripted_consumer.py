"""A consumer that does what a test says, in place of librdkafka's: what the poll loop does to it can be read off in order."""

import threading
import time
from collections import deque

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Message as Record

from millstream.router import Assignment
from millstream.router.delivery.route import Route
from millstream.router.kafka.config import KafkaSubscriberConfig
from millstream.router.kafka.connection import ConnectionWatch
from millstream.router.kafka.consuming.inbox import Inbox
from millstream.router.kafka.consuming.owned_partitions import OwnedPartitions
from millstream.router.kafka.consuming.poll_loop import PollLoop, WatchedConsumer
from millstream.router.kafka.consuming.recipient import Recipient
from millstream.router.kafka.consuming.topic_identity import TopicIdentity
from millstream.router.kafka.stall import StallWatch
from millstream.router.testing import FakeWorker, eventually
from millstream.router.worker_thread import WorkerThread

TOPIC = "events"
WORKER = FakeWorker("batcher")
"""What a revoke waits for; everybody else who holds a message is a user."""
BRIEF = {"max_poll_interval": 1.0, "session_timeout": 0.8, "heartbeat_interval": 0.1}
"""Options with which a revoke, and leaving the group, wait for 0.2 s at most."""


def record(offset, partition=0, value=b"v", error=None):
    """Return a record as confluent-kafka hands it out; *error* is a code."""
    failure = None if error is None else KafkaError(error)
    return Record(topic=TOPIC, partition=partition, offset=offset, value=value, error=failure)


def handle(message, owner=None):
    """Do to *message* what a router does: run its chain, which takes a hold when there is an *owner*."""
    message.delivery.begin()
    held = None if owner is None else message.hold(owner)
    message.delivery.finish()
    return held


class ScriptedConsumer:
    """Hands out what it is given, calls back what it is told to, and remembers what it was asked for."""

    def __init__(self):
        self.done = []
        """What the loop asked for, in order, but for polls."""
        self.polls = 0
        self.asked_for = []
        """How many records each poll asked for."""
        self.answers = deque()
        """What `committed` answers, call by call: an error to raise, or a function of the places that were asked for."""
        self.kept = {}
        """By partition what was committed with its offset told: the answer of `committed` when there is no other."""
        self.partitions = 4
        """How many the topic has."""
        self.starts = {}
        """Where the partitions that were assigned last begin."""
        self.end = 7
        """Of every partition's log."""
        self.refusals = 0
        """How many of the next stores are refused."""
        self.notes = []
        """The metadata of each offset that was stored."""
        self.commit_failure = None
        """What a commit raises whose offsets are told."""
        self.paused = set()
        self.has_broker = True
        self.leaks = []
        """The client's own exceptions that came out of a callback: with librdkafka nobody could catch them."""
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

    def happen(self, *names):
        """Report partition 0 as each of *names* says, inside the poll that is under way, which finds nothing else."""
        for name in names:
            self._call(name, [Place(0)])
        return []

    def _call(self, name, places):
        partitions = {each.partition for each in places}
        self._mine = self._mine | partitions if name == "assign" else self._mine - partitions
        try:
            return self._callbacks[name](self, places) or []
        except KafkaException as error:
            self.leaks.append(error)
            return []

    def subscribe(self, topics, on_assign=None, on_revoke=None, on_lost=None):
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
        self.asked_for.append(count)
        if self._steps:
            return self._steps.popleft()()
        with self._changed:
            self._changed.wait(0.001)
        return []

    def committed(self, places, timeout):
        """Take the next of the answers; without one, what was kept."""
        answer = self.answers.popleft() if self.answers else self._kept
        if isinstance(answer, BaseException):
            raise answer
        return answer(places)

    def _kept(self, places):
        return [self.kept.get(each.partition, Place(each.partition)) for each in places]

    def get_watermark_offsets(self, place, timeout):
        """Return the bounds of the log."""
        return (0, self.end)

    def list_topics(self, topic, timeout):
        """Raise an error unless there is a broker to ask."""
        if not self.has_broker:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    def store_offsets(self, offsets):
        """Remember the offsets by partition, unless they are to be refused."""
        if self.refusals:
            self.refusals -= 1
            raise KafkaException(KafkaError(KafkaError._STATE))
        self.done.append(("store", {each.partition: each.offset for each in offsets}))
        self.notes += [each.metadata for each in offsets]

    @property
    def stores(self):
        """What was stored, in order."""
        return [step[1] for step in self.done if step[0] == "store"]

    def commit(self, offsets=None, *, asynchronous):
        """Remember it, with the offsets that are told."""
        if offsets is None:
            self.done.append(("commit",))
            return
        if self.commit_failure is not None:
            raise self.commit_failure
        self.kept.update({each.partition: each for each in offsets})
        self.done.append(("commit", {each.partition: each.offset for each in offsets}))

    def pause(self, places):
        """Remember the partitions; as with librdkafka they stay paused until they are resumed, whoever has them meanwhile."""
        self.paused |= {each.partition for each in places}
        self.done.append(("pause", sorted(each.partition for each in places)))

    def resume(self, places):
        """Remember those of the partitions that were paused; for others it does nothing."""
        resumed = self.paused & {each.partition for each in places}
        self.paused -= resumed
        if resumed:
            self.done.append(("resume", sorted(resumed)))

    def assign(self, places):
        """Remember the partitions, and where each begins."""
        self.starts = {each.partition: each.offset for each in places}
        self.done.append(("assign", sorted(each.partition for each in places)))

    def incremental_assign(self, places):
        """Remember the partitions, as with `assign`."""
        self.assign(places)

    def incremental_unassign(self, places):
        """Remember it, as with `unassign`."""
        self.unassign()

    def unassign(self):
        """Remember it."""
        self.done.append(("unassign",))

    def close(self):
        """Remember it."""
        self.done.append(("close",))


class Place:
    """A topic and partition, by default without a committed offset."""

    topic = TOPIC

    def __init__(self, partition, offset=-1001, error=None, metadata=""):
        self.partition = partition
        self.offset = offset
        self.error = error
        self.metadata = metadata


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


class Ids:
    """Tells of a topic what a consumer would find."""

    def __init__(self, consumer):
        self.id = ""
        """By default nobody tells it."""
        self._consumer = consumer

    def count(self):
        """Return how many partitions there are, if there is a broker."""
        return self._consumer.partitions if self._consumer.has_broker else 0

    def topic_id(self):
        """Return the id."""
        return self.id


class Loop:
    """A poll loop on a scripted consumer, running on a thread while the block lasts."""

    def __init__(self, listener, **options):
        config = KafkaSubscriberConfig(brokers=["nowhere:1"], group_id="g", **options)
        self.consumer = ScriptedConsumer()
        self.inbox, self.recipient = Inbox(config), Recipient(listener)
        self.buffer = self.inbox.buffer
        self.owned = OwnedPartitions(TOPIC, config.max_pending, self._assignment)
        self.listener = listener
        self.watch = ConnectionWatch(config)
        self.another = ScriptedConsumer()
        """Whom the loop asks whether there are brokers, when its own consumer finds none."""
        self.stall = StallWatch(lambda: self.another)
        self.ids = Ids(self.consumer)
        self.identity = TopicIdentity(TOPIC, config, self.ids)
        client = WatchedConsumer(self.consumer, self.watch, self.stall, self.identity)
        self.loop = PollLoop(client, self.owned, self.inbox, self.recipient, config)
        self._thread = WorkerThread("poll", self.loop.run)

    def _assignment(self, partition, epoch):
        return Assignment(TOPIC, partition, epoch, wake=self.recipient.wake, redeliver=self.inbox.redeliveries.add)

    def deliver(self, count):
        """Assign partition 0, to a router with one worker, and deliver *count* messages of it; returns them."""
        self.consumer.call("assign", 0)
        self.consumer.give(*[record(offset) for offset in range(count)])
        messages = self.receive(count)
        self.listener.assignments[0].route = Route("h", TOPIC, "S", workers=[WORKER])
        return messages

    def receive(self, count):
        """Return the next *count* messages, which came in one poll."""
        messages = self.buffer.receive(count, 5.0)
        assert len(messages) == count, self._thread.error
        return messages

    def revoke(self, timeout=20.0):
        """Take partition 0 away and wait until that is over; returns whether it was within *timeout* seconds."""
        before = self.consumer.done.count(("unassign",))
        self.consumer.call("revoke", 0)
        return eventually(lambda: self.consumer.done.count(("unassign",)) > before, timeout)

    def polls_on(self, count=5, timeout=10.0):
        """Wait for *count* more polls; each of them that finds nothing looks at the books."""
        before = self.consumer.polls
        return eventually(lambda: self.consumer.polls > before + count, timeout)

    @property
    def is_alive(self):
        """Whether its thread runs."""
        return self._thread.is_alive

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self.loop.close()
        if kind is not None:
            return  # the block has failed already, and that is what counts
        self._thread.join(time.monotonic() + 10.0)
        assert not self._thread.is_alive
        if self._thread.error is not None:
            raise self._thread.error
