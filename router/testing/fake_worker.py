"""A worker that does what a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..delivery.assignment import Assignment
from .fake_subscription import ignore


class FakeWorker:
    """Remembers what the router asked of it; implements `Worker`.

    Args:
        name: what it is called.
        on_seal: what `seal` does.
        on_drain: what `drain` does and returns; by default it is done at once.
        record: called with a short text for each call, for tests of an order.
    """

    def __init__(
        self,
        name: str = "worker",
        *,
        on_seal: Callable[[Sequence[Assignment]], None] | None = None,
        on_drain: Callable[[float], bool] | None = None,
        record: Callable[[str], None] = ignore,
    ) -> None:
        self.start_count = 0
        self.sealed: list[Assignment] = []
        self.abandoned: list[Assignment] = []
        self._name = name
        self._error: BaseException | None = None
        self._on_seal = on_seal
        self._on_drain = on_drain
        self._record = record

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    @property
    def error(self) -> BaseException | None:
        """What it died of."""
        return self._error

    def die(self, error: BaseException) -> None:
        """Let the router find it dead of *error*."""
        self._error = error

    def start(self) -> None:
        """Count the call."""
        self.start_count += 1
        self._record(f"start {self._name}")

    def seal(self, assignments: Sequence[Assignment], deadline: float) -> None:
        """Remember *assignments* and do what the test said."""
        self.sealed.extend(assignments)
        self._record(f"seal {self._name}")
        if self._on_seal is not None:
            self._on_seal(assignments)

    def drain(self, deadline: float) -> bool:
        """Do what the test said."""
        self._record(f"drain {self._name}")
        return True if self._on_drain is None else self._on_drain(deadline)

    def abandon(self, assignments: Sequence[Assignment]) -> None:
        """Remember *assignments*."""
        self.abandoned.extend(assignments)
        self._record(f"abandon {self._name}")
