"""What is done counts for the handler whose it is, though a batcher takes the messages of several."""

import pytest

from millstream.handlers import ClickHouseTable
from millstream.handlers.batching import Batch, BatchConfig, BatchMessage, MessageBatcher
from millstream.handlers.batching.batch_run import BatchRun
from millstream.handlers.batching.done_counts import DoneCounts
from millstream.handlers.testing import FakeStore
from millstream.router import Assignment, Message, PoisonTopic, Router, RouterConfig, StormLimits
from millstream.router.delivery.route import Route
from millstream.router.testing import FakeSubscriber, RecordingPublisher, eventually, running
from tests.router.delivery.model.stand_ins import delivered_run

OWNER = "batcher"


class CountingSink:
    """Remembers what it is told."""

    is_blocked = False

    def __init__(self):
        self.told = []

    def count_done(self, owner, count):
        """Take note of *count* messages."""
        self.told.append((owner, count))


def assigned(handler, sink, partition=0):
    """Return an assignment of *handler*."""
    assignment = Assignment(handler, partition)
    assignment.route = Route(handler, handler, "S", sink=sink)
    return assignment


def rows_of(assignment, count, *, as_run):
    """Return *count* rows of an assignment."""
    if as_run:
        return [BatchRun(delivered_run(assignment, 0, count), list(range(count)))]
    return [BatchMessage(Message(b"", assignment=assignment), number) for number in range(count)]


@pytest.mark.parametrize("as_run", [False, True], ids=["messages", "runs"])
def test_of_several_handlers_each_hears_of_its_own(as_run):
    """However many partitions it has."""
    one, other = CountingSink(), CountingSink()
    rows = [
        *rows_of(assigned("one", one), 3, as_run=as_run),
        *rows_of(assigned("other", other), 2, as_run=as_run),
        *rows_of(assigned("one", one, 1), 4, as_run=as_run),
        BatchMessage(Message(b""), 0),
    ]
    done = DoneCounts(OWNER)
    whole = Batch(rows).rows
    done.add_all(whole, whole.assignments())
    done.tell_all()
    done.tell_all()

    assert (one.told, other.told) == ([(OWNER, 7)], [(OWNER, 2)])


def test_before_one_fails_its_sink_hears_of_those_before_it_alone():
    """And of no handler's twice."""
    sinks = {name: CountingSink() for name in ("one", "other")}
    one, other = (assigned(name, sink) for name, sink in sinks.items())
    done = DoneCounts(OWNER)
    for assignment in (one, other, one, None):
        done.add(assignment)
    done.tell(one)
    done.tell(None)
    before = [list(sink.told) for sink in sinks.values()]
    done.tell_all()

    assert before == [[(OWNER, 2)], []]
    assert [sink.told for sink in sinks.values()] == [[(OWNER, 2)], [(OWNER, 1)]]


def test_rows_of_one_topic_are_no_storm_of_another():
    """A tenth of the orders is refused, and each batch ends with a return: good orders are between the refused ones."""
    store, publisher = FakeStore(), RecordingPublisher()
    store.refuse_lines(lambda line: b"bad" in line)
    table = ClickHouseTable(store, database="d", table="t", columns=["id"])
    batcher = MessageBatcher(
        BatchConfig(batch_size=11, flush_interval=60.0), lambda batch: table.store(batch, lambda each: each.payload)
    )
    router = Router(RouterConfig(poison_limits=StormLimits(max_in_a_row=3, max_share=1.0)))
    orders, returns = FakeSubscriber(), FakeSubscriber()
    for name, subscriber in (("orders", orders), ("returns", returns)):
        batcher.attach(router, name, name, subscriber, poison=PoisonTopic(publisher, f"{name}-dlq"))
    with running(router):
        for number in range(1, 7):
            orders.subscription.deliver(b'{"id":"bad"}', *[b'{"id":"good"}'] * 9)
            assert eventually(lambda: batcher.pending == 10)
            returns.subscription.deliver(b'{"id":"back"}')
            assert orders.subscription.wait_committed(10 * number)

    assert (len(publisher.messages("orders-dlq")), len(store.rows())) == (6, 60)
