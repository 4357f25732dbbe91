"""What becomes of one batch of events: rows, one INSERT, post-processing, and an outcome per message."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec
from loguru import logger

from millstream.handlers.batching import Batch, BatchMessage, BatchResult
from millstream.router import MONOTONIC, Clock, PermanentError, TransientError

from .outage import Outage
from .post_processing import PostProcessor
from .probe import is_probe
from .repository import EventRepository
from .similar_keys import SimilarKeys


class ConsumptionStats(msgspec.Struct, frozen=True):
    """What a consumption service has done so far.

    Args:
        events: events known to be in the store.
        rows: rows in the store, billing rows included.
        inserts: INSERT statements sent, retries included.
        refused: events that the store refused; they went to the poison sink.
        post_process_errors: events whose post-processing message was not confirmed.

    Example:
        >>> stats = ConsumptionStats(events=1000, rows=2000, inserts=4)
        >>> stats.events / stats.inserts
        250.0
    """

    events: int = 0
    rows: int = 0
    inserts: int = 0
    refused: int = 0
    post_process_errors: int = 0


class PostProcessingFailed(PermanentError):
    """The event is stored, but the post-processing service could not be told; the message goes to the poison sink."""


class _Progress:
    """What is known of a batch between attempts: what became of its rows and which of its events were published."""

    def __init__(self) -> None:
        self.stored: BatchResult | None = None
        """Once nothing more is to be stored of it."""
        self.rows = 0
        """How many rows that are, once they are stored."""
        self.unpublished: list[int] | None = None
        self.publish_attempts = 0


class BatchConsumption:
    """Processes batches for a service; safe for several batchers."""

    def __init__(self, post_processor: PostProcessor | None, clock: Clock = MONOTONIC) -> None:
        self.post_processor = post_processor
        """Who is told of stored events; `None`: nobody."""
        self.tells_others = post_processor is not None
        """Whether post-processing is told of each event."""
        self._clock = clock
        self._lock = threading.Lock()
        self._stats = ConsumptionStats()
        self._similar_keys = SimilarKeys()
        self.outage = Outage(clock)
        """Whether the store is away."""

    @property
    def stats(self) -> ConsumptionStats:
        """What was done so far."""
        return self._stats

    def process(self, messages: Sequence[BatchMessage], repository: EventRepository) -> BatchResult:
        """Store in *repository* and publish; see `EventConsumptionService.process_batch`."""
        started = self._clock.now()
        batch = messages if isinstance(messages, Batch) else Batch(messages)
        if batch.progress is None:
            self._similar_keys.look_at(payloads for _, payloads in batch.rows.parts())
            batch.progress = _Progress()
        progress: _Progress = batch.progress
        stored = self._store(batch, progress, repository)
        not_published = self._publish(batch, progress, stored)
        self._log(batch, stored, progress.rows, len(not_published), self._clock.now() - started)
        if not not_published:
            return stored
        done = [place for place in stored.done if place not in not_published]
        return BatchResult(done=done, failures={**stored.failures, **not_published}, left=stored.left)

    def _store(self, batch: Batch, progress: _Progress, repository: EventRepository) -> BatchResult:
        if progress.stored is not None:
            return progress.stored
        before = repository.inserts(batch)
        try:
            stored = repository.store_batch(batch)
        except Exception as error:
            self.outage.note_failure(error)
            raise
        finally:
            self._count(inserts=repository.inserts(batch) - before)
        self.outage.note_success()
        progress.stored = stored
        events = len(stored.done)
        progress.rows = repository.count_rows(batch, stored.done)
        self._count(events=events, rows=progress.rows, refused=len(stored.failures))
        return stored

    def _publish(self, batch: Batch, progress: _Progress, stored: BatchResult) -> dict[int, BaseException]:
        processor = self.post_processor
        if processor is None:
            return {}
        # Not before somebody is to be told: items may have to be read again.
        items, payloads = batch.rows.items(), batch.rows.payloads()
        if progress.unpublished is None:
            progress.unpublished = [place for place in stored.done if not is_probe(items[place])]
        places = progress.unpublished
        if not places:
            return {}
        failed = processor.publish([items[place] for place in places], [payloads[place] for place in places])
        progress.unpublished = [places[index] for index in failed]
        progress.publish_attempts += 1
        if failed and progress.publish_attempts <= processor.max_retries:
            error = next(iter(failed.values()))
            raise TransientError(f"{len(failed)} post-processing messages were not confirmed: {error}") from error
        self._count(post_process_errors=len(failed))
        return {places[index]: _not_published(error) for index, error in failed.items()}

    def _count(self, **added: int) -> None:
        with self._lock:
            now = {name: getattr(self._stats, name) + count for name, count in added.items()}
            self._stats = msgspec.structs.replace(self._stats, **now)

    def _log(self, batch: Batch, stored: BatchResult, rows: int, not_published: int, seconds: float) -> None:
        logger.bind(
            batch_size=len(batch),
            total_events_inserted=rows,
            duration_ms=round(seconds * 1000, 3),
            post_process_errors=not_published,
            refused=len(stored.failures),
        ).info("batch processing completed")


def _not_published(error: BaseException) -> PostProcessingFailed:
    failure = PostProcessingFailed(f"stored, but not handed to post-processing: {error}")
    failure.__cause__ = error
    return failure
