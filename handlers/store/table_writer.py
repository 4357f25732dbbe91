"""What a batcher calls to bring its batches into a table."""

from __future__ import annotations

from collections.abc import Callable

from millstream.handlers.batching import Batch, BatchResult


class TableWriter:
    """A `process_batch` that brings batches into a table; `ClickHouseTable.writer` makes one.

    Args:
        store: brings a batch into the table.
        prepare: raises where no batch could ever get there.
    """

    def __init__(self, store: Callable[[Batch], BatchResult], prepare: Callable[[], None]) -> None:
        self._store = store
        self._prepare = prepare

    def __call__(self, batch: Batch, /) -> BatchResult:
        """Bring *batch* into the table; see `ClickHouseTable.store`."""
        return self._store(batch)

    def prepare(self) -> None:
        """See that batches can go into the table; see `ClickHouseTable.prepare`."""
        self._prepare()
