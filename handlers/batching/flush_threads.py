"""The threads on which a batcher flushes: mostly one works, and another helps while there is more than one whole batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from millstream.router.worker_thread import WorkerThread

from .flush import Flush


class FlushThreads:
    """All of them, each with the `Flush` that it works with.

    Args:
        name: of the batcher.
        flushes: one for each thread.
        run: the body of a thread; returns when there is nothing more to do.
    """

    def __init__(self, name: str, flushes: Sequence[Flush], run: Callable[[Flush], None]) -> None:
        names = [name, *(f"{name}-{number}" for number in range(2, len(flushes) + 1))]
        self._flushes = flushes
        self._threads = [
            WorkerThread(*each) for each in zip(names, (partial(run, flush) for flush in flushes), strict=True)
        ]

    def prepare(self) -> None:
        """Have the `process_batch` say whether it can work, where it knows; once."""
        self._flushes[0].prepare()

    def start(self) -> None:
        """Start them."""
        for thread in self._threads:
            thread.start()

    def join(self, deadline: float) -> bool:
        """Wait for their end until *deadline* (real monotonic seconds), then end their waits; returns whether all had ended."""
        have_ended = [thread.join(deadline) for thread in self._threads]
        for flush in self._flushes:
            flush.give_up()
        return all(have_ended)

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on one of them."""
        return any(thread.is_current for thread in self._threads)

    @property
    def error(self) -> BaseException | None:
        """What the first of them died of."""
        return next((thread.error for thread in self._threads if thread.error is not None), None)

    @property
    def last_error(self) -> str:
        """What keeps a batch in hand from being done; empty while nothing does."""
        return next((flush.last_error.text for flush in self._flushes if flush.last_error.text), "")

    @property
    def is_blocked(self) -> bool:
        """Whether one of them waits for the store with its retries exhausted."""
        return any(flush.is_blocked for flush in self._flushes)

    @property
    def is_in_trouble(self) -> bool:
        """Whether a batch in hand is: then no other is begun beside it."""
        return any(flush.is_in_trouble for flush in self._flushes)

    @property
    def is_done(self) -> bool:
        """Whether every batch came to its end, rather than being given up."""
        return all(flush.is_done for flush in self._flushes)

    @property
    def retries(self) -> int:
        """Attempts on batches beyond the first."""
        return sum(flush.retries for flush in self._flushes)
