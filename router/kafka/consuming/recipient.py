"""Who handles what was received, as the poll thread sees them: they hear of assignments, and tell when something has settled."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ...clock import MONOTONIC
from ...delivery.assignment import Assignment
from ...delivery.offset_book import OffsetBook
from ...delivery.revoke_wait import RevokeWait
from ...protocols import AssignmentListener

LOOK_AGAIN_SECONDS = 0.02
"""Between looks at the books while a revoke waits; flushes wake it at once, a chain that returns tells nobody."""


class Recipient:
    """Passes on what there is to hear to a listener, if there is one. For the poll thread only, but for `wake`.

    Args:
        listener: see `AssignmentListener`; outside a router there is none.
    """

    def __init__(self, listener: AssignmentListener | None) -> None:
        self._listener = listener
        self._settled = threading.Event()
        self._is_waiting = False
        """Whether `wait_for` is at it. Written before its first look, so that what settled unheard is seen by that look."""

    def wake(self) -> None:
        """Let the poll thread look at the books, if it waits for them: something was settled. From any thread."""
        if self._is_waiting:
            self._settled.set()

    def assigned(self, made: Sequence[Assignment]) -> None:
        """See `AssignmentListener.assigned`."""
        if self._listener is not None and made:
            self._listener.assigned(made)

    def revoked(self, gone: Sequence[Assignment], deadline: float) -> None:
        """See `AssignmentListener.revoked`."""
        if self._listener is not None and gone:
            self._listener.revoked(gone, deadline)

    def lost(self, gone: Sequence[Assignment]) -> None:
        """See `AssignmentListener.lost`."""
        if self._listener is not None and gone:
            self._listener.lost(gone)

    def wait_for(self, books: Sequence[OffsetBook], deadline: float) -> None:
        """Wait while the front of one of *books* may still settle, until *deadline* at most."""
        wait = RevokeWait(books, MONOTONIC.now(), deadline)
        self._is_waiting = True
        try:
            self._wait_until_over(wait)
        finally:
            self._is_waiting = False

    def _wait_until_over(self, wait: RevokeWait) -> None:
        while True:
            self._settled.clear()
            if wait.is_over(MONOTONIC.now()):
                return
            self._settled.wait(LOOK_AGAIN_SECONDS)
