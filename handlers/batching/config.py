"""Settings of a batcher."""

import threading
from typing import Literal

import msgspec

from millstream.router import ConfigurationError
from millstream.router.typed_fields import require_types

DEFAULT_MAX_BATCH_SIZE = 50_000
"""Messages: one INSERT of this many rows is one block, and more rows per INSERT bring no further speed."""


class BatchConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a batch is flushed and what happens when it cannot be.

    The first three are the original's; `batch_size=1, flush_interval=0.1` is its way back to one INSERT per message.

    Args:
        batch_size: messages that trigger a flush. Events below 1 KB: 500-1,000, up to 5 KB: 250-500, larger: 100-250.
        flush_interval: seconds after which the oldest message of a batch triggers a flush. 1-2 for real time, 5 near it.
        max_retries: attempts after the first one, waiting `retry_interval`, twice that, and so on, with jitter: 3 is four.
        max_batch_size: messages a batch may grow to while the worker is busy; `None`: 50,000, and 1 with `batch_size=1`.
        max_batch_bytes: payload bytes that trigger a flush, and that one batch holds at most (but for a single larger message).
        max_pending_bytes: payload bytes added and not yet stored before `add` waits; of a service those of all lanes together.
        retry_interval: seconds before the first retry.
        max_retry_interval: seconds that a wait between retries grows to at most.
        on_exhausted: after the last retry, `"wait"`: one attempt every `wait_interval` with intake stopped, until the store is
            back; `"poison"`: the whole batch goes to the poison sink, as in the original.
        wait_interval: seconds between these attempts.
        halt_after: seconds that what somebody must mend (no such table, no rights, a bug) is waited out before the router halts.
        max_in_flight: batches that `process_batch` may have at a time, each on a thread of its own. A second one begins only when
            it is as large as one may be, and while nothing of the first has failed. `None`: 1, but 2 for events that go into a
            server and of which nobody else is told.

    Example:
        >>> one_by_one = BatchConfig(batch_size=1, flush_interval=0.1)
        >>> one_by_one.limit, BatchConfig().limit
        (1, 50000)
    """

    batch_size: int = 250
    flush_interval: float = 5.0
    max_retries: int = 3
    max_batch_size: int | None = None
    max_batch_bytes: int = 16 * 1024 * 1024
    max_pending_bytes: int = 48 * 1024 * 1024
    retry_interval: float = 1.0
    max_retry_interval: float = 10.0
    on_exhausted: Literal["wait", "poison"] = "wait"
    wait_interval: float = 2.0
    halt_after: float = 300.0
    max_in_flight: int | None = None

    def __post_init__(self) -> None:
        require_types(self, "batch.")
        for name in ("batch_size", "max_batch_bytes", "max_pending_bytes"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("flush_interval", "retry_interval", "max_retry_interval", "wait_interval"):
            # More is more than a thread can wait: it would die of an OverflowError.
            is_right = 0 < getattr(self, name) <= threading.TIMEOUT_MAX
            self._require(name, is_right, f"more than 0 and at most {threading.TIMEOUT_MAX:g} seconds")
        for name in ("max_retries", "halt_after"):
            self._require(name, getattr(self, name) >= 0, "0 or more")
        if self.max_in_flight is not None:
            self._require("max_in_flight", self.max_in_flight >= 1, "at least 1")
        if self.max_batch_size is not None:
            self._require(
                "max_batch_size", self.max_batch_size >= self.batch_size, f"at least batch_size={self.batch_size}"
            )

    def _require(self, name: str, is_right: bool, rule: str) -> None:
        if not is_right:
            raise ConfigurationError(f"batch.{name} must be {rule}, not {getattr(self, name)}")

    @property
    def limit(self) -> int:
        """Messages that one batch holds at most."""
        if self.max_batch_size is not None:
            return self.max_batch_size
        return 1 if self.batch_size == 1 else max(self.batch_size, DEFAULT_MAX_BATCH_SIZE)

    @property
    def at_once(self) -> int:
        """Batches that may be in hand at a time."""
        return self.max_in_flight or 1
