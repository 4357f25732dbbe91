"""What the tests of a table of one's own share: a pipeline of a topic, a batcher and a table, and rows that something refuses."""

import itertools

import msgspec

from millstream.handlers.batching import BatchConfig, BatchMessage, MessageBatcher
from millstream.handlers.store import ClickHouseTable, UnknownOutcome
from millstream.handlers.testing import FakeStore
from millstream.middleware import FailurePolicy
from millstream.router import PoisonTopic, Router
from millstream.router.testing import FakeSubscriber, RecordingPublisher, eventually, running

GOOD, LOCAL, SERVER = "good", "refused by line", "refused by the store"


class ForgetfulStore(FakeStore):
    """A store that loses its answer after some of the INSERTs that it has stored, and refuses rows of the kind `SERVER`."""

    def __init__(self, loses=()):
        super().__init__()
        self._loses = iter(loses)
        self.refuse_lines(lambda line: SERVER.encode() in line)

    def insert_lines(self, table, columns, block, token, settings=None):
        """Store, and say so or not."""
        super().insert_lines(table, columns, block, token, settings)
        if next(self._loses, False):
            raise UnknownOutcome("the answer is lost")


class Row(msgspec.Struct):
    """One row: its number, and what becomes of it."""

    number: int
    kind: str


def line(each):
    """The line of a row, unless it is one that this refuses."""
    if each.item.kind == LOCAL:
        raise ValueError(f"row {each.item.number} has no line")
    return msgspec.json.encode(each.item)


def table_in(store, *, database="m", table="rows"):
    """The table that rows go to."""
    return ClickHouseTable(store, database=database, table=table, columns=["number", "kind"])


def make_batcher(process, **config):
    """A batcher with waits that do not slow a test."""
    fast = {"retry_interval": 0.001, "max_retry_interval": 0.001, "wait_interval": 0.001, "flush_interval": 0.01}
    return MessageBatcher(BatchConfig(**{**fast, **config}), process)


def consume(process, kinds, **config):
    """Send a row of each of *kinds* through a router to *process*; returns the payloads of the DLQ and what was committed."""
    batcher, subscriber, publisher, router = (
        make_batcher(process, **config),
        FakeSubscriber(),
        RecordingPublisher(),
        Router(),
    )

    def take(message):
        batcher.add(BatchMessage(message, msgspec.json.decode(message.payload, type=Row)))

    router.add_worker(batcher)
    router.add_middleware(FailurePolicy(retry=None))
    router.add_consumer_handler("rows", "rows", subscriber, take, poison=PoisonTopic(publisher, "dlq"))
    with running(router):
        subscriber.subscription.deliver(*(msgspec.json.encode(Row(*each)) for each in enumerate(kinds)))
        assert eventually(lambda: subscriber.subscription.committed() == len(kinds) or batcher.error is not None)
    return [message.payload for message in publisher.messages("dlq")], subscriber.subscription.committed()


def numbers(payloads):
    """The numbers of rows, from their JSON, in order."""
    return sorted(msgspec.json.decode(payload, type=Row).number for payload in payloads)


def numbers_of(kinds, *wanted):
    """Where in *kinds* one of *wanted* stands."""
    return [number for number, kind in enumerate(kinds) if kind in wanted]


def spread(count, refused):
    """Return *count* kinds, of which every so many is refused, in turn by the line and by the store: *refused* in all."""
    turns = itertools.cycle([LOCAL, SERVER])
    step = count // refused
    return [next(turns) if number % step == step - 1 else GOOD for number in range(count)]
