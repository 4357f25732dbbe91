"""Taking one batch to its end: attempts, waits between them as `decide` says, and the last word on every message."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import NoReturn, Protocol

from loguru import logger

from millstream.router import Clock, HaltedError, TransientError
from millstream.router.delivery.mistakes import Mistakes
from millstream.router.errors import reason_of
from millstream.router.tracebacks import forget_traceback
from millstream.router.worker_thread import LastError

from .account import check
from .attaching import Prepares
from .attempts import Attempts, Mending
from .batch import Batch, BatchResult, Outcome, ProcessBatch
from .batch_message import BatchMessage
from .config import BatchConfig
from .decision import Decision, Verdict
from .done_counts import DoneCounts
from .ending import Ending
from .gate import URGENT, InsertGate


class Owner(Protocol):
    """What a flush needs of its batcher, which owns the holds."""

    name: str

    is_unheld: bool
    """Whether what it has is committed already."""
    mending: Mending
    """Says once what somebody has to mend."""

    @property
    def is_urgent(self) -> bool:
        """Whether somebody waits for the flush."""
        ...

    def stop_intake(self) -> None:
        """Take in nothing more until the flush is done."""
        ...


class Flush:
    """Processes batches, one after the other, on a thread of its batcher."""

    def __init__(
        self,
        owner: Owner,
        config: BatchConfig,
        process_batch: ProcessBatch,
        *,
        gate: InsertGate,
        rank: int,
        ending: Ending,
        clock: Clock,
    ) -> None:
        self.is_blocked = False
        """Retries are exhausted and the store is waited for: nothing new should be taken in."""
        self.is_done = True
        """Whether the last batch came to its end, rather than being given up."""
        self.retries = 0
        self._is_prepared = False
        self._owner = owner
        self._config = config
        self._process_batch = process_batch
        self._gate = gate
        self._rank = rank
        self._clock = clock
        self._condition = threading.Condition()
        self._is_given_up = False
        self._ending = ending
        self.is_in_trouble = False
        """Whether an attempt on the batch in hand has failed, or it is taken apart for what is refused of it."""
        self._batch: Batch | None = None
        """What is in hand."""
        self.last_error = LastError()
        """Of the batch in hand."""
        self._mistakes = Mistakes(owner.name)
        self._told: dict[int, bool] = {}
        """By place in the batch in hand, where the outcome was reported before its end: whether it had failed by then."""

    def prepare(self) -> None:
        """Have the `process_batch` say whether it can work, where it knows; once."""
        if not self._is_prepared and isinstance(self._process_batch, Prepares):
            self._process_batch.prepare()
        self._is_prepared = True

    def _current_rank(self) -> int:
        return URGENT if self._owner.is_urgent else self._rank

    def is_late(self) -> bool:
        """Whether a batch in trouble is to come to an end, with what is known of its messages by now."""
        return self._ending.is_near or (self._batch is not None and self._ending.is_left_to_others(self._batch))

    def give_up(self) -> None:
        """End the waits: what is not processed by now stays held, and comes again to whoever is next."""
        with self._condition:
            self._is_given_up = True
            self._condition.notify_all()

    def run(self, whole: Batch) -> bool:
        """Process a batch until nothing is open; returns whether everything that is still ours was processed."""
        batch = whole.without_void(self._ending.given_up)
        if not batch:
            return False
        self.is_done = False
        self._told.clear()
        batch.listener, batch.is_late = self._report, self.is_late
        self._batch = batch
        try:
            result = self._outcome(batch)
        finally:
            self._batch = None
            self.is_in_trouble = False
        if result is None:
            return False
        self._settle(batch, result)
        return self._has_ended(batch, result)

    def _has_ended(self, batch: Batch, result: BatchResult) -> bool:
        """Say whether everything was processed, of a batch that is settled as far as *result* goes."""
        if result.left and self._ending.is_near:
            self.last_error.note(TransientError(f"no time for the last {len(result.left)} messages of a batch"))
            return False
        is_for_others = bool(result.left) and self._ending.is_left_to_others(batch)
        if result.left and not is_for_others:
            raise HaltedError(f"{self._owner.name} gives up {len(result.left)} messages, as their handler halts")
        if _is_halted(batch) and not self._owner.is_unheld:
            # What would be stored from now on stands behind what is not settled, and would come again.
            raise HaltedError(f"{self._owner.name} stores nothing more, as its handler halts")
        self._set_blocked(batch, False)
        self.is_done = True
        self.last_error.clear()
        if is_for_others:
            self._ending.give_up(batch)
            log = logger.bind(batcher=self._owner.name, batch_size=len(batch), left=len(result.left))
            log.info("batch ends before it is through, as its partitions go: whoever has them next reads what is left")
        return not is_for_others

    def _set_blocked(self, batch: Batch, is_blocked: bool) -> None:
        """Say whether *batch* waits for its store, so that its partitions fetch nothing that would only wait here as well."""
        if not (is_blocked or self.is_blocked):
            return  # another batch of theirs may wait
        self.is_blocked = is_blocked
        for assignment in batch.rows.assignments():
            assignment.is_stopped = is_blocked

    def _outcome(self, batch: Batch) -> BatchResult | None:
        """Try until there is an outcome for every message; `None` when there should be no further attempt."""
        attempts = Attempts(self._config, self._owner.mending)
        try:
            return self._try_until_known(batch, attempts)
        finally:
            attempts.end()

    def _try_until_known(self, batch: Batch, attempts: Attempts) -> BatchResult | None:
        while True:
            try:
                result = self._attempt(batch)
            except Exception as error:  # noqa: BLE001 - what processes a batch is the user's
                self.is_in_trouble = True
                self.last_error.note(error)
                self._mistakes.tell(error)
                decision = attempts.judge(error, self._clock.now())
                if decision.verdict is Verdict.HALT:
                    self._halt(error)
                forget_traceback(error)
                if decision.verdict is Verdict.POISON:
                    return BatchResult(done=(), failures=dict.fromkeys(range(len(batch)), error))
                if not self._is_due_again(batch, attempts.failed, decision, error):
                    return None
            else:
                # Outside: no attempt mends a bug, and no message is to blame for it. It ends the thread, and so the router.
                return check(self._owner.name, result, batch)

    def _attempt(self, batch: Batch) -> BatchResult | None:
        batch.attempts += 1
        with self._gate.turn(self._current_rank):
            return self._process_batch(batch)

    def _halt(self, error: Exception) -> NoReturn:
        if isinstance(error, HaltedError):
            raise error
        raise HaltedError(f"still not possible after {self._config.halt_after:g} s: {reason_of(error)}") from error

    def _is_due_again(self, batch: Batch, failed: int, decision: Decision, error: Exception) -> bool:
        """Wait until the next attempt; returns False when there should be none."""
        self.retries += 1
        if decision.verdict is Verdict.WAIT:
            self._set_blocked(batch, True)
            self._owner.stop_intake()
        log = logger.bind(
            batcher=self._owner.name,
            batch_size=len(batch),
            attempts=failed,
            seconds=round(decision.after, 3),
        )
        # A warning once for each batch: an outage may last for hours.
        level = "WARNING" if failed == 1 else "INFO"
        log.log(level, "batch not processed, it will be tried again: {error}", error=reason_of(error))
        if not self._sleep(decision.after):
            return False
        if batch.rows.is_void:
            # None of its partitions is ours any more: whoever has them now reads these messages again.
            self.is_done = True
            self._set_blocked(batch, False)
            return False
        return True

    def _sleep(self, seconds: float) -> bool:
        """Wait; returns False when the batch was given up meanwhile."""
        deadline = self._clock.now() + seconds
        with self._condition:
            while not self._is_given_up and self._clock.now() < deadline:
                self._clock.wait_until(self._condition, deadline)
            return not self._is_given_up

    def _report(self, batch: Batch, outcomes: Iterable[Outcome]) -> bool:
        """Fail what has failed; a batch in trouble may take long, and its sink is to know whether there is a storm."""
        self.is_in_trouble = True
        done = DoneCounts(self._owner)
        for place, error in outcomes:
            self._told[place] = error is not None
            each = batch[place]
            if error is None:
                done.add(each.message.assignment)
                continue
            done.tell(each.message.assignment)
            self._fail(each, error)
        done.tell_all()
        return not (_is_halted(batch) or self.is_late())

    def _fail(self, each: BatchMessage, error: BaseException) -> None:
        self._mistakes.tell(error)
        is_another_part = bool(each.message.failures)
        each.message.fail(error, self._owner, each.index)
        assignment = each.message.assignment
        if is_another_part and assignment is not None and assignment.route is not None:
            assignment.route.count_failed(self._owner, error)

    def _settle(self, batch: Batch, result: BatchResult) -> None:
        done, assignments = DoneCounts(self._owner), batch.rows.assignments()
        if result.failures or self._told or result.left:
            self._settle_each(batch, result, done)
        else:
            batch.rows.release(self._owner)
            done.add_all(batch.rows, assignments)
        done.tell_all()
        for assignment in assignments:
            assignment.wake()

    def _settle_each(self, batch: Batch, result: BatchResult, done: DoneCounts) -> None:
        failures, left = result.failures, frozenset(result.left)
        for place, each in enumerate(batch):
            if place in left:
                continue
            if place in failures:
                done.tell(each.message.assignment)  # before it fails: the sink judges it by those that were done before
                if not self._told.get(place):  # one that was done by then may fail later, such as in post-processing
                    self._fail(each, failures[place])
            else:
                each.message.delivery.release(self._owner, each.index)
                if place not in self._told:
                    done.add(each.message.assignment)


def _is_halted(batch: Batch) -> bool:
    assignment = batch.rows.first_assignment
    return assignment is not None and assignment.route is not None and assignment.route.is_halted
