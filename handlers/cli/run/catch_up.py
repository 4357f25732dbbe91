"""`--once`: waiting until the group has committed what the topics held at the start."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from millstream.handlers.lanes.attacher import LaneAttacher, RunningLane
from millstream.router import MONOTONIC, TransientError
from millstream.router.kafka.lag import GroupLag, TopicEnds

LOOK_SECONDS = 0.5
"""Between two questions how far the group is; a batch that got nothing new for as long is flushed without waiting for its age."""
ASK_AGAIN_SECONDS = 1.0
"""Before the ends of a topic are asked for again, where nobody answers."""


class CatchUp:
    """Knows where each lane's topic ended at the start. Not for several threads at a time.

    Args:
        lanes: not running yet.
        attacher: has the settings of their subscribers.
    """

    def __init__(self, lanes: Sequence[RunningLane], attacher: LaneAttacher) -> None:
        self._lanes = lanes
        self._lags = [GroupLag(attacher.subscriber_config(lane.config), lane.config.topic) for lane in lanes]
        self._pause = threading.Event()
        self._ends: list[TopicEnds] = [self._patiently(lag.ends) for lag in self._lags]
        self._pending = [-1 for _ in lanes]

    def close(self) -> None:
        """Close the connections."""
        for lag in self._lags:
            lag.close()

    def wait(self, has_ended: Callable[[], bool]) -> None:
        """Return when all of it is committed, by whichever members of the groups, or when *has_ended* says so."""
        while not has_ended() and not self._is_done():
            self._hurry()
            self._pause.wait(LOOK_SECONDS)

    def _is_done(self) -> bool:
        try:
            return all(ends.lag(lag.committed()) == 0 for lag, ends in zip(self._lags, self._ends, strict=True))
        except TransientError:
            return False

    def _hurry(self) -> None:
        """Flush what gets no company any more."""
        for place, lane in enumerate(self._lanes):
            pending = lane.batcher.pending
            if pending and pending == self._pending[place]:
                lane.batcher.seal((), MONOTONIC.now())
            self._pending[place] = pending

    def _patiently(self, ask: Callable[[], TopicEnds]) -> TopicEnds:
        while True:
            try:
                return ask()
            except TransientError:
                self._pause.wait(ASK_AGAIN_SECONDS)
