"""Taking one sealed batch to its end: attempts, waits between them, and the last word on every message.

What an attempt's error means:
- `PermanentError`: the batch can never be processed; every message of it goes to the poison sink.
- `ConfigurationError`: somebody has to mend something; nobody's data is at fault. Retried slowly, then the router halts.
- `TransientError` and `OSError`: may work later. Retried with backoff, and past `max_retries` as `on_exhausted` says.
- `HaltedError`: stops the router; nothing of the batch is settled.
- anything else, such as a bug or an outcome that does not fit the batch: retried with backoff as well, and past `max_retries`
  like a wrong configuration.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from loguru import logger

from millstream.middleware import Backoff
from millstream.router import Clock, ConfigurationError, HaltedError, PermanentError, TransientError

from .batch import Batch, BatchMessage, BatchResult
from .config import BatchConfig
from .gate import URGENT, InsertGate

JITTER = 0.2
"""Part by which a wait between attempts is shortened or lengthened at random, so that several processes do not knock at once."""


class Owner(Protocol):
    """What a flush needs of its batcher, which owns the holds."""

    name: str

    @property
    def is_urgent(self) -> bool:
        """Whether somebody waits for the flush."""
        ...

    def stop_intake(self) -> None:
        """Take in nothing more until the flush is done."""
        ...


class Flush:
    """Processes sealed batches, one after the other, on the thread of its batcher."""

    def __init__(
        self,
        owner: Owner,
        config: BatchConfig,
        process_batch: Callable[[Sequence[BatchMessage]], BatchResult | None],
        *,
        gate: InsertGate,
        rank: int,
        clock: Clock,
    ) -> None:
        self.is_blocked = False
        """Retries are exhausted and the store is waited for: nothing new should be taken in."""
        self.is_done = True
        """Whether the last batch came to its end, rather than being given up."""
        self.retries = 0
        self._owner = owner
        self._config = config
        self._process_batch = process_batch
        self._gate = gate
        self._rank = rank
        self._clock = clock
        self._condition = threading.Condition()
        self._is_given_up = False

    def _current_rank(self) -> int:
        return URGENT if self._owner.is_urgent else self._rank

    def give_up(self) -> None:
        """End the waits: what is not processed by now stays held, and comes again to whoever is next."""
        with self._condition:
            self._is_given_up = True
            self._condition.notify_all()

    def run(self, sealed: Batch) -> bool:
        """Process *sealed* until nothing is open; returns whether everything that is still ours was processed."""
        batch = sealed.without_void()
        if not batch:
            return False
        self.is_done = False
        attempts = _Attempts(self._config, self._clock)
        while True:
            try:
                with self._gate.turn(self._current_rank):
                    result = self._process_batch(batch)
                _check(result, batch)
            except HaltedError:
                raise
            except PermanentError as error:
                self._settle(batch, BatchResult(dict.fromkeys(range(len(batch)), error)))
                break
            except Exception as error:  # noqa: BLE001 - what processes a batch is the user's
                attempts.count += 1
                if (
                    self._config.on_exhausted == "poison"
                    and attempts.are_exhausted
                    and not isinstance(error, ConfigurationError)
                ):
                    self._settle(batch, BatchResult(dict.fromkeys(range(len(batch)), error)))
                    break
                if not self._wait_for_next(batch, attempts, error):
                    return False
            else:
                self._settle(batch, BatchResult() if result is None else result)
                break
        self.is_blocked = False
        self.is_done = True
        return True

    def _wait_for_next(self, batch: Batch, attempts: _Attempts, error: Exception) -> bool:
        """Wait until the next attempt; returns False when there should be none."""
        delay = attempts.next_delay(error)
        self.retries += 1
        if attempts.are_exhausted:
            self.is_blocked = True
            self._owner.stop_intake()
        logger.bind(
            batcher=self._owner.name,
            batch_size=len(batch),
            attempts=attempts.count,
            seconds=round(delay, 3),
            error=str(error),
        ).warning("batch not processed, it will be tried again")
        deadline = self._clock.now() + delay
        with self._condition:
            while not self._is_given_up and self._clock.now() < deadline:
                self._clock.wait_until(self._condition, deadline)
            if self._is_given_up:
                return False
        if all(each.message.is_void for each in batch):
            # None of its partitions is ours any more: whoever has them now reads these messages again.
            self.is_done = True
            self.is_blocked = False
            return False
        return True

    def _settle(self, batch: Batch, result: BatchResult) -> None:
        failures = result.failures
        owner = self._owner
        for place, each in enumerate(batch):
            if failures and place in failures:
                each.message.fail(failures[place], owner, each.index)
            else:
                each.message.delivery.release(owner, each.index)
        for assignment in {id(each.message.assignment): each.message.assignment for each in batch}.values():
            if assignment is not None:
                assignment.wake()


def _check(result: BatchResult | None, batch: Batch) -> None:
    """Raise where an outcome does not fit the batch: what it failed to name would count as stored."""
    if result is None:
        return
    if not isinstance(result, BatchResult) or not isinstance(result.failures, Mapping):
        raise TypeError(f"process_batch must return None or a BatchResult with a mapping, not {result!r}")
    for place, error in result.failures.items():
        if place not in range(len(batch)) or not isinstance(error, BaseException):
            raise ValueError(f"process_batch failed the place {place!r} of {len(batch)} with {error!r}")


class _Attempts:
    """Counts the attempts on one batch and says how long to wait for the next."""

    def __init__(self, config: BatchConfig, clock: Clock) -> None:
        self.count = 0
        """Attempts that failed."""
        self._config = config
        self._clock = clock
        self._misconfigured_since: float | None = None
        self._backoff = Backoff(
            initial_interval=config.retry_interval,
            max_interval=config.max_retry_interval,
            multiplier=2.0,
            jitter=JITTER,
        )

    @property
    def are_exhausted(self) -> bool:
        """Whether the retries with backoff are used up."""
        return self.count > self._config.max_retries

    def next_delay(self, error: Exception) -> float:
        """Return the seconds to wait after *error*.

        Raises:
            HaltedError: the configuration has been wrong for too long.
        """
        is_explained = isinstance(error, TransientError | OSError)
        if isinstance(error, ConfigurationError) or (self.are_exhausted and not is_explained):
            self._halt_after_a_while(error)
            return self._config.wait_interval
        self._misconfigured_since = None
        return self._config.wait_interval if self.are_exhausted else self._backoff.next_delay()

    def _halt_after_a_while(self, error: Exception) -> None:
        now = self._clock.now()
        if self._misconfigured_since is None:
            self._misconfigured_since = now
            logger.bind(error=repr(error)).error("no batch can be processed until somebody mends this; nothing is lost")
        if now - self._misconfigured_since >= self._config.halt_after:
            raise HaltedError(f"still not possible after {self._config.halt_after:g} s: {error!r}") from error
