"""The message batcher on its own, without a router."""

import gc
import threading

import pytest

from millstream.handlers.batching import BatchMessage, BatchResult, Trigger
from millstream.router import MONOTONIC, Cancelled, ConfigurationError, HaltedError, PermanentError, TransientError
from millstream.router.testing import ManualClock, eventually
from tests.handlers.batching.batching_aids import TIMEOUT, Gate, RecordingProcess, assigned, batch_message, drain
from tests.router.circles import Circles


def test_a_single_event_is_flushed_within_the_interval(batcher):
    """One message alone is flushed when the flush interval is over, not before."""
    clock, process = ManualClock(), RecordingProcess()
    one = batcher(process, clock=clock, flush_interval=5.0)
    one.add(batch_message())
    assert clock.wait_for_waiters()
    clock.advance(4.9)
    early = list(process.sizes)
    clock.advance(0.1)

    assert process.wait(1) == [1]
    assert early == []
    assert process.batches[0].trigger is Trigger.AGE


def test_a_full_batch_is_flushed_at_once(batcher):
    """250 messages are flushed without any time passing."""
    process = RecordingProcess()
    one = batcher(process, clock=ManualClock())
    for _ in range(250):
        one.add(batch_message())

    assert process.wait(1) == [250]
    assert process.batches[0].trigger is Trigger.SIZE


def test_500_events_at_50_a_second_are_exactly_two_size_flushes(batcher):
    """A steady stream fills a batch of 250 just before its interval is over: two flushes by size and none by time."""
    clock, process = ManualClock(), RecordingProcess()
    one = batcher(process, clock=clock)
    for number in range(1, 501):
        one.add(batch_message())
        if number % 250 == 0:
            process.wait(number // 250)
        clock.advance(0.02)
    drain(one)

    assert process.sizes == [250, 250]
    assert {batch.trigger for batch in process.batches} == {Trigger.SIZE}


def test_what_is_left_is_flushed_at_shutdown(batcher):
    """Draining flushes the open batch and tells that nothing is left."""
    process = RecordingProcess()
    one = batcher(process, clock=ManualClock())
    for _ in range(7):
        one.add(batch_message())

    assert drain(one)
    assert process.sizes == [7]
    assert process.batches[0].trigger is Trigger.SHUTDOWN


def test_batches_grow_while_the_worker_is_busy(batcher):
    """What comes during a flush goes into one next batch, however many times the batch size it is."""
    gate = Gate()
    process = RecordingProcess(gate)
    one = batcher(process, batch_size=10)
    for _ in range(10):
        one.add(batch_message())
    assert gate.entered.wait(TIMEOUT)
    for _ in range(95):
        one.add(batch_message())
    gate.open()
    drain(one)

    assert process.sizes == [10, 95]


def test_a_batch_size_of_one_stays_one_by_one(batcher):
    """The rollback by settings gives single-event processing, also under load."""
    process = RecordingProcess()
    one = batcher(process, batch_size=1, flush_interval=0.1)
    for _ in range(20):
        one.add(batch_message())
    drain(one)

    assert process.sizes == [1] * 20


def test_the_message_is_held_until_it_is_stored(batcher):
    """`add` returns at once; only the end of the flush releases the hold."""
    gate = Gate()
    one = batcher(RecordingProcess(gate), batch_size=1)
    added = batch_message()
    one.add(added)
    assert gate.entered.wait(TIMEOUT)
    was_held = added.message.is_held
    gate.open()
    drain(one)

    assert was_held
    assert not added.message.is_held


def test_adding_the_same_delivery_again_adds_no_row(batcher):
    """A handler that is retried after it added its message adds no second row."""
    process = RecordingProcess()
    one = batcher(process)
    added = batch_message()
    one.add(added)
    one.add(added)
    drain(one)

    assert process.sizes == [1]


def test_several_items_of_one_message_are_rows_of_their_own(batcher):
    """Items with different places in one message are all added, and all must be stored before the message is free."""
    process = RecordingProcess()
    one = batcher(process)
    first = batch_message()
    for index in range(3):
        one.add(type(first)(first.message, None, index))
    drain(one)

    assert process.sizes == [3]
    assert not first.message.is_held


def test_many_threads_lose_and_double_nothing(batcher):
    """Messages added by several threads are each in exactly one batch."""
    process = RecordingProcess()
    one = batcher(process, batch_size=97)
    rows = [[batch_message() for _ in range(1000)] for _ in range(4)]
    threads = [threading.Thread(target=lambda part=part: [one.add(row) for row in part]) for part in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    drain(one)
    flushed = [id(row) for batch in process.batches for row in batch]

    assert len(flushed) == len(set(flushed)) == 4000


def test_a_batch_knows_which_attempt_is_made_on_it(batcher):
    """What a table keeps with it can tell what was made anew for another one."""
    seen = []

    def process(batch):
        seen.append(batch.attempts)
        if len(seen) < 3:
            raise TransientError("store down")

    one = batcher(process, batch_size=1, retry_interval=0.001, max_retry_interval=0.001)
    one.add(batch_message())
    drain(one)
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("failures", [1, 3, 6])
def test_a_failed_batch_is_retried_with_the_same_rows_and_token(batcher, failures):
    """Transient errors are waited out; every attempt sees the very same batch, also past the last retry."""
    process = RecordingProcess(*[TransientError("store down")] * failures)
    one = batcher(process, batch_size=2, retry_interval=0.001, max_retry_interval=0.001, wait_interval=0.001)
    added = [batch_message(), batch_message()]
    for each in added:
        one.add(each)
    process.wait(failures + 1)
    drain(one)

    assert len({id(batch) for batch in process.batches}) == 1
    assert len({batch.token for batch in process.batches}) == 1
    assert not any(each.message.is_held for each in added)


def test_attempts_that_fail_keep_nothing(batcher):
    """However long an outage lasts, no body of an attempt that is over is there, without the help of the garbage collector."""
    circles = Circles()
    gc.collect()
    gc.disable()
    try:
        one = batcher(circles.fail, batch_size=1, retry_interval=0.001, max_retry_interval=0.001, wait_interval=0.001)
        one.add(batch_message())
        assert eventually(lambda: circles.failed > 5)
        alive = circles.alive
    finally:
        gc.enable()

    assert alive <= 1  # in hand


def test_retries_wait_one_two_and_four_seconds_and_then_two_each(batcher):
    """Four attempts with growing waits, jitter within a fifth, then one attempt every two seconds."""
    clock = ManualClock()
    process = RecordingProcess(*[TransientError("store down")] * 5)
    one = batcher(process, clock=clock, batch_size=1)
    one.add(batch_message())
    waits = []
    for number in range(1, 6):
        process.wait(number)
        waits.append(clock.advance_to_next_deadline())
    process.wait(6)

    for wait, expected in zip(waits[:3], [1, 2, 4], strict=True):
        assert 0.8 * expected <= wait <= 1.2 * expected
    assert waits[3:] == [pytest.approx(2.0), pytest.approx(2.0)]


def test_a_batch_is_poisoned_after_its_retries_where_that_is_chosen(batcher):
    """With `on_exhausted="poison"` exactly four attempts are made, as in the original."""
    process = RecordingProcess(*[TransientError("store down")] * 9)
    one = batcher(process, batch_size=1, on_exhausted="poison", retry_interval=0.001, max_retry_interval=0.001)
    added = batch_message()
    one.add(added)
    drain(one)

    assert len(process.batches) == 4
    assert [str(failure.error) for failure in added.message.failures] == ["store down"]


def test_a_permanent_error_fails_every_message_at_once(batcher):
    """A batch that can never be processed is not retried."""
    process = RecordingProcess(PermanentError("never"))
    one = batcher(process)
    added = [batch_message(), batch_message()]
    for each in added:
        one.add(each)
    drain(one)

    assert process.sizes == [2]
    assert all(str(each.message.failures[0].error) == "never" for each in added)


def test_a_result_fails_only_the_messages_it_names(batcher):
    """An outcome per message settles each by its own."""
    process = RecordingProcess(BatchResult(done=[0, 2], failures={1: PermanentError("bad row")}))
    one = batcher(process)
    added = [batch_message() for _ in range(3)]
    for each in added:
        one.add(each)
    drain(one)

    assert [len(each.message.failures) for each in added] == [0, 1, 0]
    assert not any(each.message.is_held for each in added)


def test_a_wrong_configuration_is_waited_out_and_then_halts(batcher):
    """Nobody's data is poisoned because a table is missing: slow retries, then the batcher dies with a halt."""
    clock = ManualClock()
    process = RecordingProcess(*[ConfigurationError("no such table")] * 100)
    one = batcher(process, clock=clock, batch_size=1, halt_after=5.0)
    added = batch_message()
    one.add(added)
    for _ in range(3):
        clock.advance_to_next_deadline()
    eventually(lambda: one.error is not None)

    assert len(process.batches) == 4
    assert isinstance(one.error, HaltedError)
    assert str(one.error) == "still not possible after 5 s: no such table"
    assert added.message.is_held
    assert not added.message.failures


def test_a_wrong_configuration_is_not_poisoned_however_it_is_configured(batcher):
    """Even where exhausted retries poison, a missing table is nobody's data: the batch waits until it is mended."""
    process = RecordingProcess(*[ConfigurationError("no such table")] * 6)
    one = batcher(process, batch_size=1, on_exhausted="poison")
    added = batch_message()
    one.add(added)
    drain(one)

    assert len(process.batches) == 7
    assert not added.message.failures


def test_an_error_that_nobody_explains_halts_after_its_retries(batcher):
    """A bug in `process_batch` is retried, and then waited out like a wrong configuration, not for ever in silence."""
    clock = ManualClock()
    process = RecordingProcess(*[ZeroDivisionError("a bug")] * 100)
    one = batcher(process, clock=clock, batch_size=1, max_retries=1, halt_after=3.0)
    added = batch_message()
    one.add(added)
    while one.error is None and clock.now() < 60:
        eventually(lambda: one.error is not None or clock.wait_for_waiters(timeout=0.05))
        if one.error is None:
            clock.advance_to_next_deadline()

    assert isinstance(one.error, HaltedError)
    assert added.message.is_held


def test_reaching_the_bound_flushes_and_makes_add_wait(batcher):
    """Bytes in flight stay at the bound: the next add waits for the flush, and nothing is dropped."""
    gate = Gate()
    process = RecordingProcess(gate)
    one = batcher(process, batch_size=1000, max_pending_bytes=10, clock=ManualClock())
    for _ in range(2):
        one.add(batch_message(b"12345"))
    third = threading.Thread(target=lambda: one.add(batch_message(b"12345")))
    third.start()
    assert gate.entered.wait(TIMEOUT)
    waited = third.is_alive()
    gate.open()
    third.join(TIMEOUT)
    drain(one)

    assert waited
    assert process.sizes == [2, 1]
    assert process.batches[0].trigger is Trigger.BOUND


def test_parts_that_wait_for_room_are_added_whole_or_not_at_all(batcher):
    """What waited between two of them would be stored in part at a shutdown, and come again whole."""
    gate = Gate()
    process = RecordingProcess(gate)
    one = batcher(process, batch_size=1000, max_pending_bytes=10, clock=ManualClock())
    one.add(batch_message(b"1234567890"))
    _, (row,) = assigned(1)
    parts = [BatchMessage(row.message, None, part, b"12345") for part in range(3)]
    outcome = []

    def add():
        try:
            one.add_all(parts)
        except Cancelled:
            outcome.append("cancelled")

    thread = threading.Thread(target=add)
    thread.start()
    assert gate.entered.wait(TIMEOUT)
    row.message.assignment.is_closing = True
    thread.join(TIMEOUT)
    gate.open()
    drain(one)

    assert outcome == ["cancelled"]
    assert not row.message.is_held
    assert process.sizes == [1]


def test_parts_are_added_past_the_bound_rather_than_in_two_turns(batcher):
    """There was room for the first: the others go in with it, and the next message waits."""
    process = RecordingProcess()
    one = batcher(process, batch_size=1000, max_pending_bytes=10, clock=ManualClock())
    _, (row,) = assigned(1)
    one.add_all([BatchMessage(row.message, None, part, b"12345") for part in range(5)])
    drain(one)

    assert process.sizes == [5]


def test_waiting_at_the_bound_ends_when_the_partition_goes(batcher):
    """`add` is called off, without a hold, when its assignment closes while it waits for room."""
    gate = Gate()
    one = batcher(RecordingProcess(gate), batch_size=1, max_pending_bytes=1)
    assignment, rows = assigned(2, b"x")
    one.add(rows[0])
    assert gate.entered.wait(TIMEOUT)
    outcome = []

    def add():
        try:
            one.add(rows[1])
        except Cancelled:
            outcome.append("cancelled")

    thread = threading.Thread(target=add)
    thread.start()
    assignment.is_closing = True
    thread.join(TIMEOUT)
    gate.open()

    assert outcome == ["cancelled"]
    assert not rows[1].message.is_held


def test_seal_flushes_at_once_and_returns(batcher):
    """A revoke does not wait for size or age."""
    process = RecordingProcess()
    one = batcher(process, clock=ManualClock())
    assignment, rows = assigned(3)
    for row in rows:
        one.add(row)
    one.seal([assignment], 0.0)

    assert process.wait(1) == [3]
    assert process.batches[0].trigger is Trigger.REVOKE


def test_abandoned_rows_are_never_sent(batcher):
    """Rows of a lost assignment that are in no batch yet are dropped; others stay."""
    process = RecordingProcess()
    one = batcher(process, clock=ManualClock())
    lost, lost_rows = assigned(2)
    _, kept_rows = assigned(1)
    for row in [*lost_rows, *kept_rows]:
        one.add(row)
    lost.close()
    one.abandon([lost])
    drain(one)

    assert [[row.message.assignment for row in batch] for batch in process.batches] == [
        [kept_rows[0].message.assignment]
    ]


def test_a_batch_that_was_sent_keeps_the_rows_of_lost_partitions(batcher):
    """An attempt may have been stored: the retry has the same rows although one of the partitions is gone."""
    lost, lost_rows = assigned(1)
    _, kept_rows = assigned(1)
    process = RecordingProcess(lambda _batch: lost.close() or fail())

    def fail():
        raise TransientError("unknown outcome")

    one = batcher(process, batch_size=2, retry_interval=0.001, max_retry_interval=0.001)
    for row in [*lost_rows, *kept_rows]:
        one.add(row)
    drain(one)

    assert process.sizes == [2, 2]


def test_a_batch_of_which_nothing_is_ours_any_more_is_given_up(batcher):
    """Retrying ends when every partition of the batch is gone: whoever has them reads the messages again."""
    lost, rows = assigned(2)
    process = RecordingProcess(lambda _batch: lost.close() or fail())

    def fail():
        raise TransientError("store down")

    one = batcher(process, batch_size=2, retry_interval=0.001, max_retry_interval=0.001)
    for row in rows:
        one.add(row)
    drained = drain(one)

    assert drained
    assert process.sizes == [2]


def test_drain_tells_when_something_is_left(batcher):
    """A store that is down at shutdown leaves the messages held, and drain says so."""
    process = RecordingProcess(*[TransientError("store down")] * 1000)
    one = batcher(process, batch_size=1, retry_interval=5.0)
    added = batch_message()
    one.add(added)
    process.wait(1)

    assert not one.drain(MONOTONIC.now() + 0.05)
    assert added.message.is_held


def test_flushing_wakes_each_assignment_once(batcher):
    """Whoever waits for settled messages is told once per flush."""
    calls = []
    assignment, rows = assigned(5)
    assignment.wake = lambda: calls.append("wake")
    one = batcher(RecordingProcess(), batch_size=5)
    for row in rows:
        one.add(row)
    drain(one)

    assert calls == ["wake"]
