"""Bytes that batchers share: each has its reserve, and the rest goes where it is needed and comes back."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.handlers.batching import BatchConfig, Budget, MessageBatcher, Trigger
from millstream.handlers.batching.buffer import BatchBuffer
from millstream.router import ConfigurationError
from millstream.router.testing import eventually
from tests.handlers.batching.batching_aids import TIMEOUT, Gate, RecordingProcess, batch_message, drain
from tests.handlers.events.service_aids import make_service

TOTAL = 480
RESERVE, PIECE = 60, 10
ROW = b"x" * 20
ONE_BY_ONE = BatchConfig(batch_size=1, max_batch_bytes=len(ROW))


def joined(budget):
    """Return a buffer that has its reserve of *budget*."""
    buffer = BatchBuffer(BatchConfig(), budget)
    buffer.join()
    return buffer


def fill(buffer):
    """Add rows until there is no room for one more; returns their bytes."""
    before = buffer.size_bytes
    while buffer.find_room():
        buffer.add(batch_message(ROW), len(ROW))
    return buffer.size_bytes - before


def test_one_alone_may_have_all_of_it():
    """Nobody else has started: nothing is kept for others."""
    assert fill(joined(Budget(TOTAL))) == TOTAL


def test_each_has_its_reserve_whatever_another_takes():
    """One whose store is away leaves the others theirs, up to the last row of each."""
    budget = Budget(TOTAL)
    greedy, other, third = joined(budget), joined(budget), joined(budget)

    assert [fill(each) for each in (greedy, other, third)] == [TOTAL - 2 * RESERVE, RESERVE, RESERVE]
    assert budget.free == 0


def test_what_was_borrowed_comes_back_when_its_batch_is_done():
    """It is another's then; the reserve stays."""
    budget = Budget(TOTAL)
    first, second = joined(budget), joined(budget)
    fill(first)
    batch = first.pop_batch(Trigger.SIZE)
    before = fill(second)
    first.done(batch)

    assert (before, fill(second)) == (RESERVE, TOTAL - 2 * RESERVE)
    assert fill(first) == RESERVE


def test_what_was_borrowed_comes_back_when_rows_are_discarded():
    """A partition that goes takes its rows along."""
    budget = Budget(TOTAL)
    first, second = joined(budget), joined(budget)
    fill(first)
    for row in first._rows:
        row.message.delivery.poison(ValueError())
    first.discard_void()

    assert (first.size_bytes, fill(second)) == (0, TOTAL - RESERVE)


def test_a_batcher_that_has_not_joined_has_no_room():
    """Nor does it keep anything from others."""
    budget = Budget(TOTAL)

    assert joined(budget).find_room()
    assert budget.free == TOTAL - RESERVE


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["add", "pop", "done"])), max_size=60), st.integers(1, 600)
)
def test_the_budget_is_never_exceeded_and_never_lost(steps, total):
    """All together have no more than the budget and a row each, and in the end all of it is there again."""
    budget = Budget(total)
    buffers, popped = [joined(budget) for _ in range(3)], [[], [], []]
    for number, step in steps:
        buffer = buffers[number]
        if step == "add" and buffer.find_room():
            buffer.add(batch_message(ROW), len(ROW))
        elif step == "pop" and not buffer.is_empty:
            popped[number].append(buffer.pop_batch(Trigger.SIZE))
        elif step == "done" and popped[number]:
            buffer.done(popped[number].pop())
        held = sum(each.size_bytes + sum(batch.size_bytes for batch in popped[at]) for at, each in enumerate(buffers))
        assert budget.free >= 0
        assert held + budget.free + sum(each.room_bytes for each in buffers) == total
        assert held < total + 3 * len(ROW)
    for buffer, batches in zip(buffers, popped, strict=True):
        for batch in batches:
            buffer.done(batch)
        if not buffer.is_empty:
            buffer.done(buffer.pop_batch(Trigger.SHUTDOWN))
    assert budget.free == total - sum(each.room_bytes for each in buffers)
    assert sum(each.room_bytes for each in buffers) <= 3 * max(1, total // 8)


def test_a_lane_whose_store_is_away_leaves_the_other_room():
    """The other goes on with its reserve while the first waits for room, and the first goes on with what that gives back."""
    budget, gate, process = Budget(TOTAL), Gate(), RecordingProcess()
    stuck = MessageBatcher(ONE_BY_ONE, gate, name="stuck", budget=budget)
    free = MessageBatcher(ONE_BY_ONE, process, name="free", budget=budget)
    free.start()
    most = (TOTAL - RESERVE) // len(ROW)
    adding = threading.Thread(target=lambda: [stuck.add(batch_message(ROW)) for _ in range(most + 1)])
    adding.start()
    assert gate.entered.wait(TIMEOUT)
    assert eventually(lambda: stuck.statistics().buffered + stuck.statistics().in_hand == most)
    for _ in range(20):
        free.add(batch_message(ROW))
    assert eventually(lambda: free.messages == 20)
    assert adding.is_alive()
    gate.open()
    adding.join(TIMEOUT)

    assert drain(stuck)
    assert drain(free)
    assert stuck.messages == most + 1


def test_lanes_of_a_service_share_one_budget():
    """`max_pending_bytes` is what all of them may have together."""
    service = make_service(max_pending_bytes=TOTAL)
    service.message_batcher.start()
    service.lazy_message_batcher.start()
    buffers = [each._buffer for each in (service.message_batcher, service.lazy_message_batcher)]

    assert sum(map(fill, buffers)) == TOTAL
    assert buffers[1].size_bytes == RESERVE
    for each in buffers:
        each.discard_void()


def test_a_budget_of_nothing_is_refused():
    """The error says what it must be."""
    with pytest.raises(ConfigurationError, match="size_bytes of a budget must be at least 1, not 0"):
        Budget(0)
