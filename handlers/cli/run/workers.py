"""`--workers N`: how many processes of one service are kept going, and how they end together. No I/O of its own."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from typing import Protocol

from loguru import logger

from millstream.handlers.events.service import LAST_INSERT_SECONDS
from millstream.middleware.backoff import Backoff
from millstream.router import MONOTONIC, ExitCode
from millstream.router.clock import Clock
from millstream.router.running.supervisor import ABORT_SECONDS

HEALTHY_SECONDS = 10.0
"""A worker that ran for so long is started again at once, and its waits begin anew."""
FIRST_SECONDS = 0.5
MAX_SECONDS = 30.0
"""The first and the longest wait before a worker that ended sooner is started again."""
GRACE_SECONDS = 15.0
"""What workers may take to end beyond their own limit; then they are killed."""
END_SECONDS = ABORT_SECONDS + LAST_INSERT_SECONDS + 1.0
"""What they may take after a second signal: what they give themselves to commit and for an INSERT in hand, and their end."""
DONE = frozenset({ExitCode.CLEAN, ExitCode.POISONED})
"""How a worker ends that has consumed what there was."""
FINAL = frozenset({ExitCode.USAGE, ExitCode.HALTED})
"""What starting again does not mend, and what would be the same for every worker."""
SEVERITY = (ExitCode.CLEAN, ExitCode.POISONED, ExitCode.UNDRAINED, ExitCode.USAGE, ExitCode.HALTED, ExitCode.BUG)
"""Exit codes from the best to the worst; one by a signal comes behind an end that was too slow."""


class Process(Protocol):
    """One worker that was started."""

    pid: int

    def poll(self) -> int | None:
        """Return how it has ended, as `subprocess` has it; `None`: it runs."""

    def tell(self, signum: int) -> None:
        """Tell it to end: the first time in order, the second time at once."""

    def kill(self) -> None:
        """End it from outside."""


class _Place:
    """One of the workers: its process, or when the next one is due."""

    def __init__(self, number: int, now: float) -> None:
        self.number = number
        self.process: Process | None = None
        self.since = now
        self.due: float | None = now
        self.code: int = ExitCode.CLEAN
        """How its last process has ended."""
        self.backoff = Backoff(initial_interval=FIRST_SECONDS, max_interval=MAX_SECONDS, jitter=0.2)


class Workers:
    """Keeps workers going until it is told to end, one of them cannot go on, or all are done. For one thread.

    Args:
        count: how many.
        start: starts the worker of a number, from 1, and returns its process; an OSError means later.
        once: whether a worker that ends in order has done what it was to do.
        close_timeout: seconds that a worker gives itself to end in order.
        clock: what is waited by.
    """

    def __init__(
        self,
        count: int,
        start: Callable[[int], Process],
        *,
        once: bool = False,
        close_timeout: float = 30.0,
        clock: Clock = MONOTONIC,
    ) -> None:
        self._start_process = start
        self._once = once
        self._close_timeout = close_timeout
        self._clock = clock
        self._places = [_Place(number, clock.now()) for number in range(1, count + 1)]
        self._heard = 0
        self._told: int | None = None
        """The signal that the workers were told to end with."""
        self._kill_at: float | None = None
        self._forced: int | None = None

    @property
    def is_done(self) -> bool:
        """Whether no worker runs, and none will."""
        return all(place.process is None and place.due is None for place in self._places)

    @property
    def code(self) -> int:
        """The exit code: the worst of the workers', or 128 and the number of a second signal."""
        return worst(place.code for place in self._places) if self._forced is None else 128 + self._forced

    def look(self) -> float | None:
        """Take in who has ended, and start who is due; returns the seconds until something else is due, `None`: nothing is."""
        now = self._clock.now()
        for place in self._running():
            self._take_end(place, now)
        for place in self._places:
            if place.due is not None and place.due <= now:
                self._start(place, now)
        if self._kill_at is not None and now >= self._kill_at:
            self._kill()
        moments = [place.due for place in self._places if place.due is not None]
        moments += [] if self._kill_at is None else [self._kill_at]
        return max(0.0, min(moments) - now) if moments else None

    def hear(self, signum: int) -> None:
        """Take note of a signal: the first ends all workers in order, the second at once."""
        self._heard += 1
        if self._heard == 1:
            logger.bind(signal=signal.Signals(signum).name).info("ending the workers on a signal")
            self._end(signum)
            return
        self._forced = signum
        self._kill_at = self._clock.now() + END_SECONDS
        for place in self._running():
            place.process.tell(signum)  # type: ignore[union-attr] # those that run have one

    def _running(self) -> list[_Place]:
        return [place for place in self._places if place.process is not None]

    def _end(self, signum: int) -> None:
        if self._told is not None:
            return
        self._told = signum
        self._kill_at = self._clock.now() + self._close_timeout + GRACE_SECONDS
        for place in self._places:
            place.due = None
            if place.process is not None:
                place.process.tell(signum)

    def _kill(self) -> None:
        self._kill_at = None
        for place in self._running():
            logger.error("worker {worker} did not end in time: killing it", worker=place.number)
            place.process.kill()  # type: ignore[union-attr] # as above

    def _start(self, place: _Place, now: float) -> None:
        try:
            place.process = self._start_process(place.number)
        except OSError as error:
            delay = place.backoff.next_delay()
            place.due = now + delay
            log = logger.bind(seconds=round(delay, 1))
            text = "worker {worker} cannot be started, trying again: {reason}"
            log.warning(text, worker=place.number, reason=str(error))
            return
        place.due, place.since = None, now
        logger.bind(worker=place.number, pid=place.process.pid).info("worker started")

    def _take_end(self, place: _Place, now: float) -> None:
        code = None if place.process is None else place.process.poll()
        if code is None:
            return
        place.process, place.code = None, self._meaning(code)
        ended = {"worker": place.number, "code": place.code}
        if self._told is not None or (self._once and place.code in DONE):
            logger.bind(**ended).info("worker ended")
        elif place.code in FINAL or (self._once and place.code == ExitCode.BUG):
            logger.error("worker {worker} cannot go on, it ended with code {code}: ending the others", **ended)
            self._end(signal.SIGTERM)
        else:
            delay = self._delay(place, now - place.since)
            place.due = now + delay
            log = logger.bind(seconds=round(delay, 1))
            log.warning("worker {worker} ended with code {code}, starting it again", **ended)

    def _meaning(self, code: int) -> int:
        """Return *code* as a shell has it; who was told to end before it had begun has ended in order, and done nothing."""
        code = 128 - code if code < 0 else code
        if self._told is None or code != 128 + self._told:
            return code
        return ExitCode.UNDRAINED if self._once else ExitCode.CLEAN

    @staticmethod
    def _delay(place: _Place, lived: float) -> float:
        if lived >= HEALTHY_SECONDS:
            place.backoff.reset()
            return 0.0
        return place.backoff.next_delay()


def worst(codes: Iterable[int]) -> int:
    """Return the worst of exit codes, as a shell has them."""
    return max(codes, key=_severity)


def _severity(code: int) -> float:
    known = {int(each): rank for rank, each in enumerate(SEVERITY)}
    return known.get(code, known[ExitCode.UNDRAINED] + 0.5)
