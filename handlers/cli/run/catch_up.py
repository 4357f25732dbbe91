"""`--once`: waiting until the group has committed what the topics held at the start."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from loguru import logger

from millstream.handlers.lanes.attacher import RunningLane
from millstream.router import MONOTONIC, MillstreamError, Router, TransientError
from millstream.router.kafka.lag import TopicEnds

LOOK_SECONDS = 0.5
"""Between two questions how far the group is; a batch that got nothing new for as long is flushed without waiting for its age."""
SLICE_SECONDS = 0.5
"""What one question may take while the router runs: the main thread hears signals between two of them only."""
ASK_AGAIN_SECONDS = 1.0
"""Before the ends of a topic are asked for again, where nobody answers."""
QUIET_QUESTIONS = 5
"""Questions in a row without an answer that are not told while the router runs: a coordinator may take seconds for its first."""


class Lag(Protocol):
    """What is asked about one lane's topic and group: see `GroupLag`."""

    def ends(self, timeout: float = ..., *, with_open: bool = ...) -> TopicEnds:
        """Return where the topic begins and ends now."""
        ...

    def committed(self, timeout: float = ...) -> dict[int, int]:
        """Return what the group has committed."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class CatchUp:
    """Knows where each lane's topic ended at the start. Not for several threads at a time.

    Args:
        lanes: not running yet.
        lags: one for each lane, which this closes.
        wait: waits between two questions, for so many seconds.
    """

    def __init__(
        self,
        lanes: Sequence[RunningLane],
        lags: Sequence[Lag],
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._lanes = lanes
        self._lags = lags
        self._wait = threading.Event().wait if wait is None else wait
        self._ends: list[TopicEnds] = []
        self._pending = [-1 for _ in lanes]
        self._unanswered = 0
        self._is_told = False

    def note_ends(self) -> None:
        """Ask where the topics end now, for as long as it takes.

        Raises:
            ConfigurationError: there is no such topic, or we are refused.
        """
        self._ends = [self._patiently(lag) for lag in self._lags]

    def close(self) -> None:
        """Close the connections."""
        for lag in self._lags:
            lag.close()

    def wait(self, has_ended: Callable[[], bool]) -> bool:
        """Wait until all of it is committed, by whichever members of the groups, or *has_ended*; returns whether it is so."""
        while not has_ended():
            if self._is_done():
                return True
            self._hurry()
            self._wait(LOOK_SECONDS)
        return False

    def _is_done(self) -> bool:
        try:
            is_done = all(_is_consumed(lag, ends) for lag, ends in zip(self._lags, self._ends, strict=True))
        except TransientError as error:
            self._unanswered += 1
            if self._unanswered > QUIET_QUESTIONS:
                self._tell(error)
            return False
        self._tell_back()
        return is_done

    def _hurry(self) -> None:
        """Flush what gets no company any more."""
        for place, lane in enumerate(self._lanes):
            pending = lane.batcher.pending
            if pending and pending == self._pending[place]:
                lane.batcher.seal((), MONOTONIC.now())
            self._pending[place] = pending

    def _patiently(self, lag: Lag) -> TopicEnds:
        while True:
            try:
                ends = lag.ends()
            except TransientError as error:
                self._tell(error)
                self._wait(ASK_AGAIN_SECONDS)
            else:
                self._tell_back()
                return ends

    def _tell(self, error: TransientError) -> None:
        if not self._is_told:
            logger.warning("not known how far the group is, asking again: {reason}", reason=str(error))
            self._is_told = True

    def _tell_back(self) -> None:
        self._unanswered = 0
        if self._is_told:
            logger.warning("known again how far the group is")
            self._is_told = False


def _is_consumed(lag: Lag, ends: TopicEnds) -> bool:
    committed = lag.committed(SLICE_SECONDS)
    if ends.lag(committed):
        return False
    # A commit beyond what was there at the start is of new records, or of a log that is gone: then nobody has read this one.
    return ends.hold(committed) or lag.ends(SLICE_SECONDS, with_open=True).hold(committed)


def run_to_the_end(router: Router, catch_up: CatchUp | None) -> bool:
    """Start *router* and block until it has closed; returns False where that was before *catch_up* was done.

    An error on the way closes it in order before it is raised, so that nothing is closed under what still runs.
    """
    router.start()
    try:
        is_done = catch_up is None or catch_up.wait(lambda: not router.is_running)
    except Exception:
        router.request_close()
        with contextlib.suppress(MillstreamError):  # what stopped it first is said
            router.wait_closed()
        raise
    if catch_up is not None:
        router.request_close()
    router.wait_closed()
    return is_done
