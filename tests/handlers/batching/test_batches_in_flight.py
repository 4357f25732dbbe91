"""Several batches at a time: only whole ones, only while all is well, and each settles by itself."""

import threading

import pytest

from millstream.handlers.batching import BatchConfig, BatchMessage, Trigger
from millstream.router import MONOTONIC, ConfigurationError, HaltedError, Message, TransientError
from millstream.router.testing import ManualClock, eventually
from tests.handlers.batching.batching_aids import TIMEOUT, RecordingProcess, assigned, batch_message, drain

TWO = {"max_in_flight": 2, "batch_size": 2, "max_batch_size": 4}
"""Due at two messages, whole at four."""


class Steps:
    """A `process_batch` whose batches end one by one, when they are told to and as they are told to."""

    def __init__(self):
        self.batches = []
        self._condition = threading.Condition()
        self._ends = {}

    def __call__(self, batch):
        """Wait for the word on *batch*."""
        with self._condition:
            if batch not in self.batches:
                self.batches.append(batch)
            place = self.batches.index(batch)
            self._condition.notify_all()
        while callable(end := self._next_end(place)):
            end(batch)
        if isinstance(end, BaseException):
            raise end

    def _next_end(self, place):
        with self._condition:
            assert self._condition.wait_for(lambda: self._ends.get(place), TIMEOUT)
            return self._ends[place].pop(0)

    def end(self, place, *ends):
        """Let the batch at *place* end its next attempts as *ends* say: `None`, or with an error; a function is called before."""
        with self._condition:
            self._ends.setdefault(place, []).extend(ends or (None,))
            self._condition.notify_all()

    def wait(self, count):
        """Wait until *count* batches have begun; returns the sizes of all."""
        with self._condition:
            assert self._condition.wait_for(lambda: len(self.batches) >= count, TIMEOUT), self.sizes
            return self.sizes

    @property
    def sizes(self):
        """The sizes of the batches that have begun."""
        return [len(batch) for batch in self.batches]


class LookingClock(ManualClock):
    """Counts the waits: a thread that was woken and found nothing to do waits again."""

    waits = 0

    def wait_until(self, condition, deadline):
        """Count, and wait."""
        self.waits += 1
        super().wait_until(condition, deadline)


def add_and_let_look(batcher, clock, process):
    """Add a message that wakes the other thread, and wait until that has looked."""
    waits, begun = clock.waits, len(process.batches)
    batcher.add(batch_message())
    assert eventually(lambda: clock.waits > waits or len(process.batches) > begun)


def add(batcher, count):
    """Add *count* messages."""
    for _ in range(count):
        batcher.add(batch_message())


def begin_two(batcher, process, messages=None):
    """Add six *messages*, of which two are begun, and then four beside them."""
    messages = [batch_message() for _ in range(6)] if messages is None else messages
    for each in messages[:2]:
        batcher.add(each)
    process.wait(1)
    for each in messages[2:]:
        batcher.add(each)
    assert process.wait(2) == [2, 4]


def test_a_whole_batch_is_begun_beside_another(batcher):
    """While one is in hand a second one begins as soon as it is as large as one may be; never a third."""
    process = Steps()
    one = batcher(process, clock=ManualClock(), **TWO)
    add(one, 2)
    first = list(process.wait(1))
    add(one, 8)
    second = list(process.wait(2))
    process.end(0)
    third = list(process.wait(3))
    process.end(1)
    process.end(2)

    assert drain(one)
    assert (first, second, third) == ([2], [2, 4], [2, 4, 4])


def test_what_is_due_and_not_whole_waits_for_the_one_in_hand(batcher):
    """Batches grow while the store is busy, as with one at a time: half a batch is not begun beside another."""
    process, clock = Steps(), LookingClock()
    one = batcher(process, clock=clock, **TWO)
    add(one, 2)
    process.wait(1)
    for _ in range(2):
        add_and_let_look(one, clock, process)
    sizes = list(process.sizes)
    add(one, 1)
    process.end(0)
    grown = process.wait(2)
    process.end(1)

    assert drain(one)
    assert (sizes, grown) == ([2], [2, 3])


@pytest.mark.parametrize(
    ("sizes", "limits"),
    [
        pytest.param([2, 3], {"max_batch_bytes": 12}, id="bytes"),
        pytest.param([2, 4], {}, id="messages"),
    ],
)
def test_whole_is_what_reaches_either_limit(batcher, sizes, limits):
    """Of messages or of bytes."""
    process = Steps()
    one = batcher(process, clock=ManualClock(), **TWO, **limits)
    add(one, 2)
    process.wait(1)
    for _ in range(sizes[1]):
        one.add(batch_message(b"1234"))
    found = process.wait(2)
    process.end(0)
    process.end(1)

    assert drain(one)
    assert found == sizes


def add_whole_batch(batcher, clock, process):
    """Add one, letting the other thread look, and then another; returns how large the batches are that have begun before that."""
    for _ in range(2):
        add_and_let_look(batcher, clock, process)
    add(batcher, 1)
    add_and_let_look(batcher, clock, process)
    begun = list(process.sizes)
    add(batcher, 4)
    return begun


def test_none_is_begun_beside_one_that_is_taken_apart(batcher):
    """As long as rows of it are refused the sink may halt the handler: what is stored behind it would come again."""
    process, clock, told = Steps(), LookingClock(), threading.Event()
    one = batcher(process, clock=clock, **TWO)
    add(one, 2)
    process.wait(1)

    def report(batch):
        batch.report([(0, ValueError("bad"))])
        told.set()

    process.end(0, report)
    assert told.wait(TIMEOUT)
    meanwhile = add_whole_batch(one, clock, process)
    process.end(0)
    afterwards = process.wait(3)
    process.end(1)
    process.end(2)

    assert drain(one)
    assert (meanwhile, afterwards) == ([2], [2, 4, 4])


def test_none_is_begun_beside_one_in_trouble(batcher):
    """What is stored behind a batch that cannot be is not committed, and would come again: so nothing more is begun."""
    process, clock = Steps(), LookingClock()
    one = batcher(process, clock=clock, retry_interval=1.0, **TWO)
    add(one, 2)
    process.wait(1)
    process.end(0, TransientError("away"))
    assert clock.wait_for_waiters()
    last_error = one.last_error
    while_in_trouble = add_whole_batch(one, clock, process)
    process.end(0)
    clock.advance(2.0)
    afterwards = process.wait(3)
    process.end(1)
    process.end(2)

    assert drain(one)
    assert (while_in_trouble, afterwards) == ([2], [2, 4, 4])
    assert "away" in last_error
    assert one.last_error == ""


def test_each_settles_by_itself(batcher):
    """The later one may be done first: its messages are released, those of the earlier one are held."""
    process = Steps()
    one = batcher(process, clock=ManualClock(), **TWO)
    _, early = assigned(2)
    _, late = assigned(4)
    begin_two(one, process, [*early, *late])
    process.end(1)
    assert eventually(lambda: not any(each.message.delivery.is_held for each in late))
    held = [each.message.delivery.is_held for each in early]
    process.end(0)

    assert drain(one)
    assert held == [True, True]
    assert not any(each.message.delivery.is_held for each in early)
    assert (one.flushes, one.messages) == (2, 6)


def test_where_one_halts_the_other_ends_and_nothing_more_begins(batcher):
    """The error ends the batcher, and is the one that its router hears of."""
    process = Steps()
    one = batcher(process, clock=ManualClock(), **TWO)
    begin_two(one, process)
    add(one, 4)
    process.end(0, HaltedError("enough"))
    assert eventually(lambda: one.error is not None)
    process.end(1)

    assert not drain(one)
    assert str(one.error) == "enough"
    assert process.sizes == [2, 4]


def test_a_drain_waits_for_all_in_hand(batcher):
    """It does not return before both are done."""
    process = Steps()
    one = batcher(process, clock=ManualClock(), **TWO)
    begin_two(one, process)
    ended = []
    draining = threading.Thread(target=lambda: ended.append(drain(one)))
    draining.start()
    process.end(1)
    assert eventually(lambda: one.flushes == 1)
    before = list(ended)
    process.end(0)
    draining.join(TIMEOUT)

    assert (before, ended) == ([], [True])


def test_what_is_left_at_the_end_is_flushed_behind_those_in_hand(batcher):
    """Also what is no whole batch."""
    process = Steps()
    one = batcher(process, clock=ManualClock(), **TWO)
    begin_two(one, process)
    add(one, 1)
    draining = threading.Thread(target=drain, args=(one,))
    draining.start()
    process.end(0)
    process.end(1)
    process.end(2)
    draining.join(TIMEOUT)

    assert process.sizes == [2, 4, 1]
    assert process.batches[2].trigger is Trigger.SHUTDOWN


def test_one_that_ends_leaves_the_partition_of_a_waiting_one_stopped(batcher):
    """Both came by one partition: it fetches nothing while either waits for the store."""
    process, clock = Steps(), ManualClock()
    one = batcher(process, clock=clock, max_retries=0, **TWO)
    assignment, messages = assigned(6)
    begin_two(one, process, messages)
    process.end(0, TransientError("away"))
    assert eventually(lambda: assignment.is_stopped)
    process.end(1)
    assert eventually(lambda: one.flushes == 1)
    is_stopped = assignment.is_stopped
    process.end(0)
    clock.advance(60.0)

    assert drain(one)
    assert (is_stopped, assignment.is_stopped) == (True, False)


def test_what_somebody_has_to_mend_is_said_once_for_both(batcher, log_lines):
    """And once more where it is wrong again, after all was well."""
    process, clock = Steps(), ManualClock()
    one = batcher(process, clock=clock, **TWO)
    begin_two(one, process)
    for place in range(2):
        process.end(place, ConfigurationError("no such table"))
    assert clock.wait_for_waiters(2)
    both = said_to_mend(log_lines)
    for place in range(2):
        process.end(place)
    clock.advance(60.0)
    assert eventually(lambda: one.flushes == 2)
    add(one, 2)
    process.wait(3)
    process.end(2, ConfigurationError("no such table"))
    assert clock.wait_for_waiters()
    again = said_to_mend(log_lines)
    process.end(2)
    clock.advance(60.0)

    assert drain(one)
    assert (both, again) == (1, 2)


def said_to_mend(lines):
    """Return how often that was said."""
    return sum("until somebody mends this" in line for line in lines)


def test_two_threads_have_names_of_their_own(batcher):
    """A thread dump tells which is which."""
    process = Steps()
    one = batcher(process, **TWO)
    begin_two(one, process)
    names = {each.name for each in threading.enumerate()}
    process.end(0)
    process.end(1)

    assert drain(one)
    assert {"batcher", "batcher-2"} <= names


def test_without_a_word_one_batch_is_in_hand(batcher):
    """A `process_batch` need not be ready for two threads."""
    process = Steps()
    one = batcher(process, clock=ManualClock(), batch_size=2, max_batch_size=4)
    add(one, 2)
    process.wait(1)
    add(one, 8)
    in_hand = list(process.sizes)
    for place in range(3):
        process.end(place)

    assert drain(one)
    assert (in_hand, process.sizes) == ([2], [2, 4, 4])
    assert BatchConfig().at_once == 1


def test_fewer_than_one_is_refused():
    """No batch could ever be processed."""
    with pytest.raises(ConfigurationError, match=r"batch\.max_in_flight must be at least 1, not 0"):
        BatchConfig(max_in_flight=0)


def test_none_is_stored_twice_or_left_out_by_two_threads(batcher):
    """Thousands of messages through small batches, on real threads: each comes exactly once."""
    process = RecordingProcess()
    one = batcher(process, max_in_flight=2, batch_size=3, max_batch_size=7, flush_interval=0.01)
    for number in range(5_000):
        one.add(BatchMessage(Message(b"{}"), number))

    assert one.drain(MONOTONIC.now() + TIMEOUT)
    assert sorted(each.item for batch in process.batches for each in batch) == list(range(5_000))
    assert one.messages == 5_000
