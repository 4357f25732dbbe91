"""What becomes of one batch of events: rows, one INSERT, post-processing, and an outcome per message."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec
from loguru import logger

from millstream.handlers.batching import Batch, BatchMessage, BatchResult
from millstream.handlers.store import InsertPlan
from millstream.router import MONOTONIC, Clock, PermanentError, TransientError

from .event import Event
from .outage import Outage
from .post_processing import PostProcessor
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
    """What is known of a batch between attempts: its rows and which of its events were published."""

    def __init__(self, plan: InsertPlan, rows_per_event: int) -> None:
        self.plan = plan
        self.rows_per_event = rows_per_event
        self.is_stored = False
        """Whether nothing more is to be stored of it."""
        self.unpublished: list[int] | None = None
        self.publish_attempts = 0


class BatchConsumption:
    """Processes batches for a service; safe for several batchers."""

    def __init__(self, post_processor: PostProcessor | None, clock: Clock = MONOTONIC) -> None:
        self._post_processor = post_processor
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
        payloads = [each.message.payload if each.part is None else each.part for each in batch]
        events: list[Event] = [each.item for each in batch]
        if batch.progress is None:
            self._similar_keys.look_at(payloads)
            plan = repository.plan(payloads, events, batch.token)
            batch.progress = _Progress(plan, repository.rows_per_event)
        progress: _Progress = batch.progress
        self._store(batch, progress)
        failures: dict[int, BaseException] = dict(progress.plan.refused)
        failures.update(self._publish(progress, events, payloads))
        self._log(batch, progress, failures, self._clock.now() - started)
        return BatchResult(failures, progress.plan.left)

    def _store(self, batch: Batch, progress: _Progress) -> None:
        if progress.is_stored:
            return
        plan = progress.plan
        before = plan.inserts
        try:
            while not plan.run():
                text = "isolating refused rows takes long: {refused} of {batch_size} so far, in {inserts} inserts"
                logger.warning(text, refused=len(plan.refused), batch_size=len(batch), inserts=plan.inserts)
                if not batch.report(plan.news()):
                    break
        except Exception as error:
            self.outage.note_failure(error)
            raise
        finally:
            self._count(inserts=plan.inserts - before)
        self.outage.note_success()
        progress.is_stored = True
        self._count(events=plan.stored, rows=plan.stored * progress.rows_per_event, refused=len(plan.refused))

    def _publish(self, progress: _Progress, events: list[Event], payloads: list[bytes]) -> dict[int, BaseException]:
        processor = self._post_processor
        if processor is None:
            return {}
        if progress.unpublished is None:
            refused, left = progress.plan.refused, progress.plan.left
            progress.unpublished = [place for place in range(len(events)) if place not in refused and place not in left]
        places = progress.unpublished
        failed = processor.publish([events[place] for place in places], [payloads[place] for place in places])
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

    def _log(self, batch: Batch, progress: _Progress, failures: dict[int, BaseException], seconds: float) -> None:
        refused = len(progress.plan.refused)
        logger.bind(
            batch_size=len(batch),
            total_events_inserted=progress.plan.stored * progress.rows_per_event,
            duration_ms=round(seconds * 1000, 3),
            post_process_errors=len(failures) - refused,
            refused=refused,
        ).info("batch processing completed")


def _not_published(error: BaseException) -> PostProcessingFailed:
    failure = PostProcessingFailed(f"stored, but not handed to post-processing: {error}")
    failure.__cause__ = error
    return failure
