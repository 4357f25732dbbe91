"""A batch that takes long, as many of its rows are refused, ends when its partitions go: what is through is committed."""

import threading

import msgspec

from millstream.handlers.batching import BatchConfig, BatchMessage, MessageBatcher
from millstream.handlers.store.insert_plan import MAX_INSERTS_PER_CYCLE, MAX_ISOLATED_PER_CYCLE
from millstream.router import PoisonTopic, Router
from millstream.router.testing import FakeSubscriber, RecordingPublisher, eventually, running
from tests.handlers.store.own_table_aids import GOOD, SERVER, ForgetfulStore, Row, line, numbers, numbers_of, table_in
from tests.handlers.store.test_close_in_isolation import Leaping

KINDS = [GOOD, SERVER] * (3 * MAX_ISOLATED_PER_CYCLE)
"""So many are refused that a batch of them tells of the first ones long before its end."""
BEHIND = range(len(KINDS), len(KINDS) + 10)
"""Rows that wait for the next batch meanwhile."""
REVOKE_SECONDS = 1.0
"""What a revoke really waits for: what is left keeps it to its end."""
TIMEOUT = 10.0
"""Real seconds for what is to come; and what passes of a revoke's time, more than all of it."""


class HeldStore(ForgetfulStore):
    """A store of which one INSERT waits, with rows in the DLQ, and those behind it until they may go on."""

    def __init__(self, dlq):
        super().__init__()
        self._dlq = dlq
        self.hold = lambda: True
        """Waits for what a test does meanwhile."""
        self.is_held, self.goes_on = threading.Event(), threading.Event()

    def insert_lines(self, *arguments):
        """Wait, or not, and store."""
        if self.is_held.is_set():
            assert self.goes_on.wait(TIMEOUT)
        elif self.insert_count() >= MAX_INSERTS_PER_CYCLE:
            assert eventually(lambda: len(self._dlq.messages("dlq")) >= MAX_ISOLATED_PER_CYCLE)
            self.is_held.set()
            assert self.hold()
        super().insert_lines(*arguments)


class Isolation:
    """A service whose one batch is taken apart while something happens to its partitions."""

    def __init__(self, partitions):
        self.dlq, self.subscriber, self.clock = RecordingPublisher(), FakeSubscriber(partitions=partitions), Leaping()
        self.store = HeldStore(self.dlq)
        self.table = table_in(self.store)
        config = BatchConfig(batch_size=len(KINDS), flush_interval=3600.0, retry_interval=0.001)
        self.batcher = MessageBatcher(config, self.process, clock=self.clock)
        self.router = Router()
        self.router.add_worker(self.batcher)
        self.router.add_consumer_handler(
            "rows", "rows", self.subscriber, self._take, poison=PoisonTopic(self.dlq, "dlq")
        )

    def process(self, batch):
        """Store a batch."""
        return self.table.store(batch, line)

    def _take(self, message):
        self.batcher.add(BatchMessage(message, msgspec.json.decode(message.payload, type=Row)))

    def deliver(self, count):
        """Deliver the rows, to *count* partitions in turn."""
        for each in enumerate(KINDS):
            self.subscriber.subscription.deliver(msgspec.json.encode(Row(*each)), partition=each[0] % count)
        assert self.store.is_held.wait(TIMEOUT)

    def let_the_time_pass(self):
        """Wait until the batcher knows of the revoke, and let the time that it has pass."""
        assert eventually(lambda: self.batcher.is_urgent)
        self.clock.passed += TIMEOUT
        return True

    @property
    def stored(self):
        """The numbers of the rows in the table, each as often as it is there."""
        return numbers(self.store.rows())

    @property
    def poisoned(self):
        """The numbers of the rows in the DLQ, each as often as it is there."""
        return numbers([message.payload for message in self.dlq.messages("dlq")])


def test_what_is_through_when_its_partition_goes_is_committed_and_comes_to_nobody_again():
    """Expect each row once, in the table or in the DLQ, from the two owners of the partition together."""
    isolation = Isolation(1)
    store, isolation.store.hold = isolation.store, isolation.let_the_time_pass
    with running(isolation.router):
        isolation.deliver(1)
        subscription = isolation.subscriber.subscription
        subscription.deliver(*[msgspec.json.encode(Row(number, GOOD)) for number in BEHIND])
        assert eventually(lambda: isolation.batcher.pending == len(BEHIND))
        subscription.revoke(0, timeout=REVOKE_SECONDS)
        committed = subscription.committed()
        through = sorted(isolation.stored + isolation.poisoned)
        store.goes_on.set()
        subscription.assign(0)
        assert MAX_ISOLATED_PER_CYCLE < committed < len(KINDS)
        assert eventually(lambda: isolation.batcher.pending == len(KINDS) + len(BEHIND) - committed)

    assert through == list(range(committed))
    assert isolation.stored == [*numbers_of(KINDS, GOOD), *BEHIND]
    assert isolation.poisoned == numbers_of(KINDS, SERVER)


def test_a_batch_that_another_partition_shares_is_taken_to_its_end():
    """What is left of it would be nobody else's: it is through once, and all of the partition that stays is committed."""
    isolation = Isolation(2)
    store, isolation.store.hold = isolation.store, isolation.let_the_time_pass
    store.goes_on.set()
    with running(isolation.router):
        isolation.deliver(2)
        subscription = isolation.subscriber.subscription
        subscription.revoke(0, timeout=REVOKE_SECONDS)

        assert subscription.wait_committed(len(KINDS) // 2, 1, timeout=TIMEOUT / 2)
    assert isolation.stored == numbers_of(KINDS, GOOD)
    assert isolation.poisoned == numbers_of(KINDS, SERVER)


def test_nothing_more_is_sent_of_a_batch_whose_partition_was_lost():
    """Expect the INSERT in hand to be the last: whoever has the partition now sends the same rows."""
    isolation = Isolation(1)
    store, subscription = isolation.store, []
    store.hold = lambda: eventually(lambda: not subscription[0].assignments)
    store.goes_on.set()
    with running(isolation.router):
        subscription.append(isolation.subscriber.subscription)
        isolation.deliver(1)
        before = store.insert_count()
        subscription[0].lose(0)

    assert store.insert_count() == before + 1
