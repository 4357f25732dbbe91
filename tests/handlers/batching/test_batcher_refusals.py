"""What a batcher does not put up with: halts, outcomes that do not fit, and messages that come too late."""

import pytest

from millstream.handlers.batching import BatchMessage, BatchResult
from millstream.router import Cancelled, ConfigurationError, HaltedError, PermanentError, Router
from millstream.router.testing import FakeSubscriber, ManualClock, eventually
from tests.handlers.batching.batching_aids import RecordingProcess, batch_message, drain


def test_a_halt_is_neither_retried_nor_poisoned(batcher):
    """What processes a batch may stop everything: no further attempt, and the messages stay held."""
    process = RecordingProcess(HaltedError("enough"))
    one = batcher(process, batch_size=1, on_exhausted="poison", max_retries=0)
    added = batch_message()
    one.add(added)
    drain(one)

    assert process.sizes == [1]
    assert str(one.error) == "enough"
    assert added.message.is_held
    assert not added.message.failures


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(BatchResult({2: PermanentError("bad row")}), id="a place behind the end"),
        pytest.param(BatchResult({-1: PermanentError("bad row")}), id="a place before the beginning"),
        pytest.param(BatchResult({0: "bad row"}), id="no error"),
        pytest.param(BatchResult([PermanentError("bad row")]), id="a list of errors"),
        pytest.param(True, id="no result"),
    ],
)
def test_an_outcome_that_fits_no_batch_settles_nothing(batcher, answer):
    """An outcome that names no message of the batch is a bug: the batch comes again, instead of counting as stored."""
    process = RecordingProcess(answer)
    one = batcher(process, retry_interval=0.001, max_retry_interval=0.001)
    added = [batch_message(), batch_message()]
    for each in added:
        one.add(each)
    drain(one)

    assert process.sizes == [2, 2]
    assert not any(each.message.is_held or each.message.failures for each in added)


def test_adding_to_a_batcher_that_has_halted_halts(batcher):
    """A handler that waits for room learns of the halt, which no retry repeats and no poison queue takes."""
    clock = ManualClock()
    process = RecordingProcess(*[ConfigurationError("no such table")] * 2)
    one = batcher(process, clock=clock, batch_size=1, max_retries=0, halt_after=1.0)
    one.add(batch_message())
    clock.advance_to_next_deadline()
    assert eventually(lambda: one.error is not None)
    late = batch_message()

    with pytest.raises(HaltedError, match="batcher has stopped"):
        one.add(late)
    assert not late.message.is_held


@pytest.mark.parametrize("earlier", [0, 1])
def test_adding_after_the_drain_is_called_off(batcher, earlier):
    """Nobody would flush it, so it is not taken in."""
    process = RecordingProcess()
    one = batcher(process)
    for _ in range(earlier):
        one.add(batch_message())
    drain(one)

    with pytest.raises(Cancelled):
        one.add(batch_message())
    assert process.sizes == [1] * earlier
    assert one.pending == 0


def test_a_batcher_whose_thread_dies_stops_its_router_and_commits_nothing(batcher):
    """What is raised there is no word on a batch: the router closes with it, and the messages come again."""
    one = batcher(RecordingProcess(SystemExit("out of here")), batch_size=2)
    subscriber, router = FakeSubscriber(), Router()
    router.add_worker(one)
    router.add_consumer_handler("h", "t", subscriber, lambda message: one.add(BatchMessage(message, None)))
    router.start()
    subscriber.subscription.deliver(b"a", b"b")

    with pytest.raises(SystemExit, match="out of here"):
        router.wait_closed(10)

    assert subscriber.subscription.committed() == 0
