"""Runs in the open batch: the same batches as of the same rows one by one, to the row."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.handlers.batching import BatchConfig, Trigger
from millstream.handlers.batching.buffer import BatchBuffer
from millstream.router import Assignment
from tests.handlers.batching.batching_aids import batch_message, batch_run, is_whole

SIZES = st.lists(st.integers(0, 6).map(lambda size: b"x" * size), min_size=1, max_size=9)
CONFIGS = st.builds(
    lambda size, more, max_bytes, pending: BatchConfig(
        batch_size=size, max_batch_size=size + more, max_batch_bytes=max_bytes, max_pending_bytes=pending
    ),
    st.integers(1, 7),
    st.integers(0, 4),
    st.integers(1, 12),
    st.integers(1, 30),
)
STEPS = st.lists(st.tuples(st.sampled_from(["run", "rows", "pop", "done"]), SIZES), max_size=12)


def sizes_of(buffer):
    """Pop batches until nothing is there; returns their sizes."""
    sizes = []
    while not buffer.is_empty:
        sizes.append(len(buffer.pop_batch(Trigger.SIZE)))
    return sizes


def test_250_means_250_with_runs_of_any_length():
    """Expect a run to be cut where the batch ends, and the next to begin with its rest."""
    for counts in product([500, 499, 1], repeat=3):
        buffer = BatchBuffer(BatchConfig(batch_size=250, max_batch_size=250))
        for count in counts:
            if count == 1:
                buffer.add(batch_message(b"x"), 1)
            else:
                buffer.add_run(batch_run(*[b"x"] * count))
        total = sum(counts)

        assert sizes_of(buffer) == [250] * (total // 250) + [total % 250] * (total % 250 > 0)
        assert (len(buffer), buffer.size_bytes) == (0, 0)


def test_a_batch_that_may_grow_takes_runs_whole():
    """Expect no run to be cut where nothing bounds the batch."""
    buffer = BatchBuffer(BatchConfig(batch_size=250))
    runs = [batch_run(*[b"x"] * 499, first=499 * number) for number in range(3)]
    for run in runs:
        buffer.add_run(run)

    assert sizes_of(buffer) == [1497]
    assert all(is_whole(each.run) for each in runs)


@pytest.mark.parametrize(
    ("payloads", "sizes"),
    [
        pytest.param([b"aa", b"bb", b"cc", b"d"], [2, 2], id="within"),
        pytest.param([b"aaaaaaaa", b"b", b"c"], [1, 2], id="the first is larger"),
        pytest.param([b"a", b"bbbbbbbb", b"c"], [1, 1, 1], id="the second is larger"),
        pytest.param([b"aaaa", b"", b"b"], [2, 1], id="nothing still fits where no byte does"),
        pytest.param([b"aaaaaaaa", b"", b"b"], [1, 2], id="not even nothing fits behind a larger one"),
        pytest.param([b"aaaa", b"bbbb"], [1, 1], id="each as much as may be"),
    ],
)
def test_bytes_cut_within_a_run(payloads, sizes):
    """Expect as many rows as fit, and always one."""
    buffer = BatchBuffer(BatchConfig(max_batch_bytes=4))
    buffer.add_run(batch_run(*payloads))

    assert sizes_of(buffer) == sizes


def test_a_run_behind_a_row_is_left_where_not_one_of_it_fits():
    """Expect it to be whole in the next batch."""
    buffer, run = BatchBuffer(BatchConfig(max_batch_bytes=4)), batch_run(b"bb", b"cc")
    buffer.add(batch_message(b"aaa"), 3)
    buffer.add_run(run)

    assert sizes_of(buffer) == [1, 2]
    assert is_whole(run.run)


@pytest.mark.parametrize(
    ("config", "runs", "wakes"),
    [
        pytest.param({"batch_size": 3}, [1, 1, 1, 1], [True, False, True, False], id="first and full"),
        pytest.param({"batch_size": 3}, [2, 2, 2], [True, True, False], id="full within"),
        pytest.param({"batch_size": 3}, [5, 5], [True, False], id="full with the first"),
        pytest.param({"batch_size": 2, "max_batch_size": 6}, [2, 2, 3, 1], [True, False, True, False], id="whole"),
        pytest.param({"max_batch_bytes": 3}, [2, 1, 1], [True, True, False], id="bytes reached once"),
        pytest.param({"max_pending_bytes": 3}, [2, 2, 2], [True, True, True], id="no room left"),
    ],
)
def test_adding_a_run_reports_only_what_changes_something(config, runs, wakes):
    """Expect whoever waits to be woken for the first, a full batch and a reached bound, not for every run."""
    buffer = BatchBuffer(BatchConfig(**config))

    assert [buffer.add_run(batch_run(*[b"x"] * count)) for count in runs] == wakes


def test_age_counts_from_the_run_that_came_first():
    """Expect the rest of a run that was cut to be flushed early rather than late."""
    buffer = BatchBuffer(BatchConfig(batch_size=3, max_batch_size=3, flush_interval=5.0))
    buffer.add_run(batch_run(b"a", b"b", b"c", b"d"))
    buffer.start_age(1.0)
    buffer.pop_batch(Trigger.SIZE)

    assert (len(buffer), buffer.deadline, buffer.due(6.0)) == (1, 6.0, Trigger.AGE)


def test_room_of_a_run_comes_back_when_its_batch_is_done():
    """Expect the part that was popped to count until then, and the rest on."""
    buffer = BatchBuffer(BatchConfig(batch_size=2, max_batch_size=2, max_pending_bytes=8))
    buffer.add_run(batch_run(b"aa", b"bbb", b"cccc"))
    batch = buffer.pop_batch(Trigger.SIZE)
    before = buffer.room_bytes
    buffer.done(batch)

    assert (before, buffer.room_bytes, buffer.size_bytes, buffer.find_room()) == (-1, 4, 4, True)


def test_void_runs_are_discarded_with_their_rows_and_bytes():
    """Expect those of a closed assignment to go, also what is left of one that was cut."""
    buffer = BatchBuffer(BatchConfig(batch_size=2, max_batch_size=2, max_pending_bytes=100))
    lost, kept = Assignment("events", 0), Assignment("events", 1)
    buffer.add_run(batch_run(b"aa", b"bb", b"cc", assignment=lost))
    buffer.done(buffer.pop_batch(Trigger.SIZE))
    buffer.add_run(batch_run(b"d", b"e", b"f", assignment=kept))
    buffer.add_run(batch_run(b"gg", assignment=lost))
    lost.close()
    buffer.discard_void()

    assert (len(buffer), buffer.size_bytes, buffer.room_bytes) == (3, 3, 97)
    assert sizes_of(buffer) == [2, 1]
    assert buffer.deadline is None


class Both:
    """Two buffers that get the same rows: one in runs, the other one by one. Each step has to show the same of both."""

    def __init__(self, config):
        self.config = config
        self.in_runs, self.by_row = BatchBuffer(config), BatchBuffer(config)
        self._popped = []
        self._count = 0

    def run(self, payloads):
        """Add a run, and its rows."""
        wake = self.in_runs.add_run(batch_run(*payloads, first=self._count))
        rows = [self.by_row.add(batch_message(payload), len(payload)) for payload in payloads]
        assert wake == any(rows)
        self._count += len(payloads)
        self._age(wake)

    def rows(self, payloads):
        """Add rows to both."""
        for payload in payloads:
            wake = self.by_row.add(batch_message(payload), len(payload))
            assert self.in_runs.add(batch_message(payload), len(payload)) == wake
            self._age(wake)

    def _age(self, wake):
        if wake:
            self.in_runs.start_age(float(self._count))
            self.by_row.start_age(float(self._count))

    def pop(self, _payloads):
        """Close a batch of each."""
        trigger = self.by_row.due(1e9)
        if trigger is None:
            return
        mine, other = self.in_runs.pop_batch(trigger), self.by_row.pop_batch(trigger)
        assert mine.rows.payloads() == other.rows.payloads()
        assert (len(mine), mine.size_bytes, mine.trigger) == (len(other), other.size_bytes, trigger)
        assert [each.payload for each in mine] == [each.payload for each in other]
        self._popped.append((mine, other))

    def done(self, _payloads):
        """Give the oldest batch back."""
        if self._popped:
            mine, other = self._popped.pop(0)
            self.in_runs.done(mine)
            self.by_row.done(other)

    @property
    def states(self):
        """What both show of themselves."""
        return [
            (len(each), each.is_empty, each.size_bytes, each.room_bytes, each.find_room(), each.deadline, each.due(0.0))
            for each in (self.in_runs, self.by_row)
        ]


@given(CONFIGS, STEPS)
def test_any_runs_and_rows_make_the_batches_of_their_rows(config, steps):
    """Expect the same wakes, sizes, bytes, ages and triggers as of the same rows one by one."""
    both = Both(config)
    for name, payloads in steps:
        getattr(both, name)(payloads)
        mine, other = both.states
        assert mine == other
    while not both.by_row.is_empty:
        both.pop(())
    assert both.in_runs.is_empty
