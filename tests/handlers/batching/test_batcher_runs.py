"""Runs in a message batcher: added, settled and failed as their messages would be one by one."""

import threading

import pytest

from millstream.handlers.batching import BatchConfig, BatchMessage, BatchResult, MessageBatcher
from millstream.router import (
    MONOTONIC,
    Assignment,
    Cancelled,
    ConfigurationError,
    HaltedError,
    Message,
    MessageRun,
    OffsetBook,
    PermanentError,
    Router,
    StateError,
    TransientError,
)
from millstream.router.delivery.route import Route
from millstream.router.testing import FakeSubscriber, ManualClock, eventually, running
from tests.handlers.batching.batching_aids import (
    TIMEOUT,
    Gate,
    RecordingProcess,
    batch_message,
    drain,
    is_whole,
    message_run,
)

BAD, WORSE = PermanentError("bad row"), PermanentError("worse row")
WAYS = ["in runs", "one by one"]


class Sink:
    """A poison sink that confirms at once, and remembers what it was told."""

    is_blocked = False

    def __init__(self, *, is_halted=False):
        self.is_halted = is_halted
        self.calls = []

    def take_failed(self, message):
        """Take a message of which a hold was failed."""
        self.calls.append((message.offset, message.payload, str(message.failures[0].error)))
        message.delivery.poison_failed()
        message.delivery.confirm()

    def count_done(self, owner, count):
        """Count what is done."""
        if count:
            self.calls.append(count)


class Partition:
    """An assignment of a handler with a sink, and its book."""

    def __init__(self, *, is_halted=False):
        self.sink = Sink(is_halted=is_halted)
        self.wakes = 0
        self.assignment = Assignment("events", 0, wake=self._wake)
        self.assignment.route = Route("h", "events", "fake", sink=self.sink)
        self.book = OffsetBook(self.assignment)
        self._next = 0

    def _wake(self):
        self.wakes += 1

    def add(self, batcher, count, way):
        """Let a chain add *count* messages, whose payloads are their offsets, and return."""
        first, self._next = self._next, self._next + count
        payloads = [b"%d" % offset for offset in range(first, first + count)]
        if way == "in runs":
            run = MessageRun(payloads, self.assignment, first, first + count - 1)
            self.book.append_run(run)
            run.delivery.begin()
            batcher.add_run(run, payloads)
            run.finish()
            return run
        for offset, payload in enumerate(payloads, first):
            message = Message(payload, topic="events", partition=0, offset=offset, assignment=self.assignment)
            self.book.append(message)
            message.delivery.begin()
            batcher.add(BatchMessage(message, payload))
            message.delivery.finish()
        return None

    @property
    def committed(self):
        """What may be committed."""
        self.book.advance()
        return self.book.next_offset


def reported(batch):
    """Tell of some before the end, as a batch in trouble does."""
    goes_on = batch.report([(0, None), (1, BAD), (2, None)])
    assert goes_on
    return BatchResult(done=[0, 2, 3, 5], failures={1: BAD, 4: WORSE})


def reported_good(batch):
    """Tell of good ones only before the end."""
    batch.report([(0, None), (1, None)])
    return BatchResult(done=range(6))


def reported_good_then_failed(batch):
    """Tell of good ones before the end, of which one fails in what is done with it afterwards."""
    batch.report([(0, None), (1, None), (2, None)])
    return BatchResult(done=[0, 2, 3, 4, 5], failures={1: BAD})


def reported_good_then_refused(batch):
    """Tell of good ones before the end, and have all of the batch refused."""
    batch.report([(0, None), (1, None), (2, None)])
    raise BAD


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("answer", "told", "committed"),
    [
        pytest.param(None, [6], 6, id="all done"),
        pytest.param(
            BatchResult(done=[0, 1, 4, 5], failures={2: BAD, 3: WORSE}),
            [2, (2, b"2", "bad row"), (3, b"3", "worse row"), 2],
            6,
            id="failures at the end of one run and the beginning of another",
        ),
        pytest.param(
            BatchResult(done=[0, 2, 3, 4, 5], failures={1: BAD}),
            [1, (1, b"1", "bad row"), 4],
            6,
            id="a failure in the middle of a run",
        ),
        pytest.param(
            BatchResult(done=[1, 2, 3, 4], failures={0: BAD, 5: WORSE}),
            [(0, b"0", "bad row"), 4, (5, b"5", "worse row")],
            6,
            id="the first and the last",
        ),
        pytest.param(reported, [1, (1, b"1", "bad row"), 1, 1, (4, b"4", "worse row"), 1], 6, id="reported midway"),
        pytest.param(reported_good, [2, 4], 6, id="good ones reported midway"),
        pytest.param(
            reported_good_then_failed, [3, (1, b"1", "bad row"), 3], 6, id="one fails that was reported as good"
        ),
        pytest.param(
            reported_good_then_refused,
            [3, *((number, b"%d" % number, "bad row") for number in range(6))],
            6,
            id="all are refused, some of which were reported as good",
        ),
        pytest.param(BAD, [(number, b"%d" % number, "bad row") for number in range(6)], 6, id="all refused"),
        pytest.param(BatchResult(done=[0, 1], left=[2, 3, 4, 5]), [2], 2, id="some are left, as their handler halts"),
        pytest.param(
            BatchResult(done=[0], failures={1: BAD}, left=[2, 3, 4, 5]),
            [1, (1, b"1", "bad row")],
            2,
            id="left behind one",
        ),
        pytest.param(HaltedError("enough"), [], None, id="a halt"),
    ],
)
def test_each_message_of_a_run_has_the_fate_of_one_by_one(batcher, answer, told, committed, way):
    """Expect the same words to the sink, in the same order and with the same counts, and the same commit."""
    partition, process = Partition(), RecordingProcess(answer)
    one = batcher(process, batch_size=6)
    one.start()
    partition.add(one, 3, way)
    partition.add(one, 3, way)
    drain(one)

    assert process.sizes == [6]
    assert partition.sink.calls == told
    assert partition.committed == committed


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_is_poisoned_after_its_retries_where_that_is_chosen(batcher, way):
    """Expect each message of its runs at the sink, once, and the commit to go on."""
    partition, process = Partition(), RecordingProcess(*[TransientError("store down")] * 2)
    one = batcher(process, batch_size=4, max_retries=1, on_exhausted="poison", retry_interval=0.001)
    one.start()
    partition.add(one, 4, way)
    drain(one)

    assert process.sizes == [4, 4]
    assert partition.sink.calls == [(number, b"%d" % number, "store down") for number in range(4)]
    assert partition.committed == 4


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_that_is_given_up_releases_nothing(batcher, way):
    """Expect its runs to be held still, and nobody told of anything."""
    partition, process = Partition(), RecordingProcess(*[TransientError("store down")] * 1000)
    one = batcher(process, batch_size=4, retry_interval=5.0)
    one.start()
    run = partition.add(one, 4, way)
    process.wait(1)

    assert not one.drain(MONOTONIC.now() + 0.05)
    assert (partition.committed, partition.sink.calls) == (None, [])
    assert run is None or (is_whole(run) and run.delivery.is_held)


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_that_was_sent_keeps_the_runs_of_a_lost_partition(batcher, way):
    """Expect the same rows at the next attempt, and only those that are still ours to be committed."""
    lost, kept = Partition(), Partition()
    process = RecordingProcess(lambda _batch: lost.assignment.close() or fail())

    def fail():
        raise TransientError("unknown outcome")

    one = batcher(process, batch_size=4, retry_interval=0.001)
    one.start()
    lost.add(one, 2, way)
    kept.add(one, 2, way)
    drain(one)

    assert [batch.rows.payloads() for batch in process.batches] == [[b"0", b"1"] * 2] * 2
    assert (lost.committed, kept.committed) == (None, 2)


@pytest.mark.parametrize("way", WAYS)
def test_runs_of_a_lost_partition_are_never_sent(batcher, way):
    """Expect those in no batch yet to be dropped, and the others to be stored."""
    lost, kept, process = Partition(), Partition(), RecordingProcess()
    one = batcher(process, clock=ManualClock())
    one.start()
    lost.add(one, 3, way)
    kept.add(one, 2, way)
    lost.assignment.close()
    one.abandon([lost.assignment])
    drain(one)

    assert process.sizes == [2]
    assert (lost.committed, kept.committed) == (None, 2)


def test_a_run_that_is_stored_is_released_whole(batcher):
    """Expect no message of it to be made, and its partition to be woken once."""
    partition = Partition()
    one = batcher(RecordingProcess(), batch_size=500)
    one.start()
    run = partition.add(one, 500, "in runs")
    drain(one)

    assert is_whole(run)
    assert (partition.committed, partition.wakes, one.messages) == (500, 1, 500)


def test_batches_cut_a_run_to_the_row(batcher):
    """Expect 250 to mean 250, and each piece to be committed once all before it are."""
    partition, process = Partition(), RecordingProcess()
    one = batcher(process, batch_size=250, max_batch_size=250)
    one.start()
    partition.add(one, 499, "in runs")
    partition.add(one, 500, "in runs")
    partition.add(one, 1, "one by one")
    drain(one)

    assert process.sizes == [250] * 4
    assert [payload for batch in process.batches for payload in batch.rows.payloads()] == [
        b"%d" % n for n in range(1000)
    ]
    assert partition.committed == 1000


def test_a_run_that_is_cut_before_its_chain_returns_is_committed():
    """Expect the flush to be free to cut what it has, and the chain to reach all of its pieces."""
    process, router = RecordingProcess(None, BatchResult(done=[0], failures={1: BAD})), Router()
    subscriber = FakeSubscriber(in_runs=True)
    batcher = MessageBatcher(BatchConfig(batch_size=2, max_batch_size=2), process)
    handler = router.add_consumer_handler("h", "events", subscriber, batch_message, poison="drop")

    def take(run):
        batcher.add_run(run, list(run.payloads))
        process.wait(2)
        return eventually(lambda: batcher.flushes == 2)

    handler.take_runs(take)
    router.add_worker(batcher)
    with running(router):
        subscriber.subscription.deliver(b"a", b"b", b"c", b"d")

        assert subscriber.subscription.wait_committed(4)
    assert (process.sizes, handler.poisoned) == ([2, 2], 1)


def failing():
    """Raise what a message could be to blame for."""
    raise PermanentError("too late")


@pytest.mark.parametrize("after", [lambda: False, failing], ids=["says no", "raises"])
def test_a_run_that_was_added_and_then_not_taken_ends_the_router(after):
    """Expect the mistake to be told, rather than messages that nobody releases to keep the commit back in silence."""
    subscriber, router, batcher = (
        FakeSubscriber(in_runs=True),
        Router(),
        MessageBatcher(BatchConfig(), RecordingProcess()),
    )

    def take(run):
        batcher.add_run(run, list(run.payloads))
        return after()

    router.add_consumer_handler("h", "events", subscriber, batch_message, poison="drop").take_runs(take)
    router.add_worker(batcher)
    router.start()
    subscriber.subscription.deliver(b"a", b"b")

    with pytest.raises(HaltedError, match="after it gave the run to a batcher: do that last"):
        router.wait_closed(TIMEOUT)
    assert subscriber.subscription.commits == []


def test_adding_the_same_run_again_adds_no_row(batcher):
    """Expect a retried handler to add nothing twice, also when the run was cut or divided meanwhile."""
    process = RecordingProcess()
    one = batcher(process, batch_size=2, max_batch_size=2)
    run = message_run(b"a", b"b", b"c")
    one.add_run(run, [0, 1, 2])
    one.add_run(run, [0, 1, 2])
    process.wait(1)
    one.add_run(run, [0, 1, 2])
    drain(one)

    assert process.sizes == [2, 1]


def test_a_run_goes_to_one_batcher(batcher):
    """Expect the second to refuse it, which no retry mends, rather than commit its messages before both are done."""
    run = message_run(b"a", b"b")
    batcher(RecordingProcess()).add_run(run, [0, 1])

    with pytest.raises(StateError, match="a run is held by one owner"):
        batcher(RecordingProcess()).add_run(run, [0, 1])


def test_adding_a_run_after_the_drain_is_called_off(batcher):
    """Expect the same as for a message: it comes again to whoever is next."""
    one = batcher(RecordingProcess())
    drain(one)

    with pytest.raises(Cancelled):
        one.add_run(message_run(b"a"), [0])


def test_adding_a_run_to_a_dead_batcher_halts(batcher):
    """Expect the reason that its thread has died of, and no hold."""
    one = batcher(RecordingProcess(HaltedError("enough")), batch_size=1, max_pending_bytes=1)
    one.add(batch_message(b"xx"))
    assert eventually(lambda: one.error is not None)
    run = message_run(b"a", b"b")

    with pytest.raises(HaltedError, match="enough"):
        one.add_run(run, [0, 1])
    assert not run.delivery.is_held


def test_a_run_of_a_router_needs_a_batcher_that_it_was_given(batcher):
    """Expect the same refusal as for a message, before anything is held."""
    run = message_run(b"a")
    run.assignment.route = Route("h", "events", "fake")

    with pytest.raises(ConfigurationError, match="was not given to the router"):
        batcher(RecordingProcess()).add_run(run, [0])
    assert not run.delivery.is_held


def test_a_run_waits_at_the_bound_and_is_added_once_there_is_room(batcher):
    """Expect the flush of what is there, and then the run."""
    gate = Gate()
    process = RecordingProcess(gate)
    one = batcher(process, batch_size=1000, max_pending_bytes=10, clock=ManualClock())
    one.add_run(message_run(b"12345", b"12345"), [0, 1])
    adding = threading.Thread(target=one.add_run, args=(message_run(b"6"), [2]))
    adding.start()
    assert gate.entered.wait(TIMEOUT)
    waited = adding.is_alive()
    gate.open()
    adding.join(TIMEOUT)
    drain(one)

    assert waited
    assert process.sizes == [2, 1]


def test_waiting_at_the_bound_with_a_run_ends_when_the_partition_goes(batcher):
    """Expect it to be called off without a hold."""
    gate = Gate()
    one = batcher(RecordingProcess(gate), batch_size=1, max_pending_bytes=1)
    one.add(batch_message(b"x"))
    assert gate.entered.wait(TIMEOUT)
    run, outcome = message_run(b"a", b"b"), []

    def add():
        try:
            one.add_run(run, [0, 1])
        except Cancelled:
            outcome.append("cancelled")

    thread = threading.Thread(target=add)
    thread.start()
    run.assignment.is_closing = True
    thread.join(TIMEOUT)
    gate.open()

    assert outcome == ["cancelled"]
    assert not run.delivery.is_held


def test_a_halted_sink_stops_the_batcher_behind_a_run(batcher):
    """Expect nothing more to be stored: it would stand behind what is not settled, and come again."""
    partition, process = Partition(is_halted=True), RecordingProcess()
    one = batcher(process, batch_size=2)
    one.start()
    partition.add(one, 2, "in runs")
    eventually(lambda: one.error is not None)

    assert isinstance(one.error, HaltedError)
    assert partition.committed == 2
