"""What a batcher logs of itself; the texts are those of the original."""

from loguru import logger

from .batch import FLUSH_LINES, Batch, Trigger
from .config import BatchConfig


def log_started(name: str, config: BatchConfig) -> None:
    """Tell that the batcher *name* has started, and how it is set."""
    log = logger.bind(
        batcher=name,
        batch_size=config.batch_size,
        flush_interval=config.flush_interval,
        max_retries=config.max_retries,
    )
    log.info("message batcher started")


def log_closed(name: str, batch: Batch) -> None:
    """Tell that *batch* was closed, and why."""
    log = logger.bind(batcher=name, messages=len(batch), bytes=batch.size_bytes)
    log.debug("batching event from message queue")
    log.info(FLUSH_LINES[batch.trigger or Trigger.SHUTDOWN])


def log_done(name: str, batch: Batch) -> None:
    """Tell that *batch* is done."""
    logger.bind(batcher=name, batch_size=len(batch)).info("batch flush successful")


def log_lost(name: str, count: int) -> None:
    """Tell that *count* messages may be lost, which their lane allows."""
    text = "{messages} messages are not known to be stored, and not delivered again: their lane is at_most_once"
    logger.bind(batcher=name).error(text, messages=count)
