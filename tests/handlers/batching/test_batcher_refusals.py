"""What a batcher does not put up with: halts, outcomes that do not fit, and messages that come too late."""

import inspect
import re

import pytest

from millstream.handlers.batching import Batch, BatchMessage, BatchResult
from millstream.router import Cancelled, ConfigurationError, HaltedError, PermanentError, Router
from millstream.router.testing import FakeSubscriber, ManualClock, eventually
from tests.handlers.batching.batching_aids import RecordingProcess, batch_message, drain

BAD = PermanentError("bad row")


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
    ("answer", "text"),
    [
        pytest.param(BatchResult(done=[0, 1], failures={2: BAD}), "there is none at 2", id="a failure behind the end"),
        pytest.param(
            BatchResult(done=[0, 1], failures={-1: BAD}), "there is none at -1", id="a failure before the beginning"
        ),
        pytest.param(BatchResult(done=range(3)), "there is none at 2", id="more done than there are"),
        pytest.param(BatchResult(done=[0], failures={1: "bad row"}), "place 1 with a str: pass an inst", id="no error"),
        pytest.param(BatchResult(done=[], failures=[BAD]), "a mapping of failures", id="a list of errors"),
        pytest.param(True, "returned a bool: return None when everything is done, or a BatchResult", id="no result"),
        pytest.param(BatchResult, "returned the class BatchResult: return None", id="a class"),
        pytest.param(BatchResult(done=2), "returned a int for done: BatchResult takes a list of places", id="a count"),
        pytest.param(BatchResult(done=range(2), left=None), "returned None for left", id="left is None"),
        pytest.param(BatchResult(done=iter([0, 1])), "returned a list_iterator for done", id="used up by the look"),
        pytest.param(BatchResult(done=[[0], [1]]), "names what is no place in the batch: unhash", id="no places"),
        pytest.param(
            BatchResult(done=[batch_message(b"secret")]),
            "there is none at a BatchMessage",
            id="a message for its place",
        ),
        pytest.param(BatchResult(done=[0]), "leaves out 1", id="one is left out"),
        pytest.param(BatchResult(done=[]), "leaves out 0, 1", id="all are left out"),
        pytest.param(BatchResult(done=[], failures={0: BAD}), "leaves out 1", id="one is left out beside a failure"),
        pytest.param(BatchResult(done=[0], left=[0]), "leaves out 1", id="one is left out beside one that is left"),
        pytest.param(BatchResult(done=[0, 1], failures={1: BAD}), "more than once 1", id="done and failed"),
        pytest.param(BatchResult(done=[0, 1, 1]), "more than once 1", id="done twice"),
    ],
)
@pytest.mark.parametrize("on_exhausted", ["wait", "poison"])
def test_an_outcome_that_does_not_account_for_each_message_ends_the_batcher(batcher, answer, text, on_exhausted):
    """It is a bug, which no attempt mends and no message is to blame for: nothing of the batch is released or poisoned."""
    process = RecordingProcess(lambda batch: answer)
    one = batcher(process, max_retries=0, on_exhausted=on_exhausted)
    added = [batch_message(), batch_message()]
    for each in added:
        one.add(each)
    is_drained = drain(one)

    assert process.sizes == [2]
    assert isinstance(one.error, HaltedError)
    assert str(one.error).startswith("batcher 'batcher': process_batch ")
    assert text in str(one.error)
    assert all(each.message.is_held and not each.message.failures for each in added)
    assert not is_drained


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, []),
        (BatchResult(done=range(2)), []),
        (BatchResult(done={1, 0}), []),
        (BatchResult(done=[1], failures={0: BAD}), [0]),
        (BatchResult(done=(), failures={1: BAD, 0: BAD}), [0, 1]),
        (lambda batch: BatchResult.all_but({1: BAD}, batch), [1]),
        (lambda batch: BatchResult.all_but({}, batch), []),
    ],
)
def test_an_outcome_that_accounts_for_each_message_settles_all(batcher, answer, failed):
    """Whatever collection it names them with."""
    one = batcher(RecordingProcess(answer))
    added = [batch_message(), batch_message()]
    for each in added:
        one.add(each)
    drain(one)

    assert one.error is None
    assert [place for place, each in enumerate(added) if each.message.failures] == failed
    assert not any(each.message.is_held for each in added)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        pytest.param(None, "returned None.* not taken 1 of 2", id="nothing is said"),
        pytest.param(BatchResult(done=range(2)), "says that 1 of 2 are done, but a table has left them", id="done"),
    ],
)
def test_what_a_table_has_left_cannot_be_called_done(batcher, answer, text):
    """The router halts: it would be committed with nobody having it."""

    def process(batch):
        batch.left.add(1)
        return answer

    one = batcher(process)
    added = [batch_message(), batch_message()]
    for each in added:
        one.add(each)
    drain(one)

    assert re.search(text, str(one.error))
    assert all(each.message.is_held for each in added)


def test_what_is_made_of_failures_leaves_what_a_table_has_left():
    """Whoever puts an outcome together from those of two tables need not think of it."""
    batch = Batch([batch_message() for _ in range(4)])
    batch.left.update({2, 3})
    result = BatchResult.all_but({0: BAD, 3: BAD}, batch)

    assert (result.done, result.failures, result.left) == ([1], {0: BAD, 3: BAD}, {2})


def test_a_router_ends_with_what_a_wrong_outcome_is_and_commits_nothing(batcher, log_lines):
    """The user's bug is what `run` raises, and the messages come again. No time-out has passed, and nobody says so."""
    one = batcher(RecordingProcess(BatchResult(done=[0])), batch_size=2)
    subscriber, router = FakeSubscriber(), Router()
    router.add_worker(one)
    router.add_consumer_handler("h", "t", subscriber, lambda message: one.add(BatchMessage(message, None)))
    router.start()
    subscriber.subscription.deliver(b"a", b"b")

    with pytest.raises(HaltedError, match=r"batcher 'batcher': .* it leaves out 1"):
        router.wait_closed(10)

    assert subscriber.subscription.committed() == 0
    assert not [line for line in log_lines if "close time-out" in line]


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


def test_an_outcome_that_nobody_awaits_is_given_up_where_it_is_refused(batcher):
    """Python would warn of it later, in somebody else's place."""

    async def later():
        """Process nothing."""

    answer = later()
    one = batcher(RecordingProcess(lambda batch: answer), max_retries=0)
    one.add(batch_message())
    drain(one)

    assert isinstance(one.error, HaltedError)
    assert inspect.getcoroutinestate(answer) == inspect.CORO_CLOSED
