"""Running one handler of a case behind a router."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ...clock import MONOTONIC, Clock
from ...delivery.run import MessageRun
from ...poison.choices import REDELIVER, PoisonTopic
from ...protocols import HandlerFunc, Middleware, Worker
from ...running.config import RouterConfig
from ...running.router import Router
from ..running import running
from .checks import require
from .lent import LentPublisher, LentSubscriber
from .trial import Trial

MAX_REDELIVERIES = 2
"""Of a message that is never handled: enough to see that there is a limit and that it is kept."""
IN_RUNS = "handles messages in runs"
"""What `Handler.describe` says then."""
CONFIG = RouterConfig(nack_resend_delay=0.01, max_redeliveries=MAX_REDELIVERIES)


@contextmanager
def routed(
    trial: Trial,
    handler: HandlerFunc,
    *,
    worker: Worker | None = None,
    poison_topic: str | None = None,
    concurrency: int = 1,
    middlewares: Sequence[Middleware] = (),
    clock: Clock = MONOTONIC,
) -> Iterator[Router]:
    """Run a router that takes the messages of the case's topic to *handler*, for the length of a `with` block.

    It reads with the case's newest pair: a second router in the block of a first one needs a `Trial.open` between them.
    """
    router = Router(CONFIG, clock=clock)
    router.add_middleware(*middlewares)
    if worker is not None:
        router.add_worker(worker)
    added = router.add_consumer_handler(
        "conformance",
        trial.topic,
        LentSubscriber(trial.subscriber),
        handler,
        poison=REDELIVER if poison_topic is None else PoisonTopic(LentPublisher(trial.publisher), poison_topic),
        concurrency=concurrency,
    )
    if trial.features.delivers_runs:
        added.take_runs(_refuse)
    with trial.undrained_is_allowed(), running(router):
        if trial.features.delivers_runs and concurrency == 1 and not middlewares:
            require(IN_RUNS in added.describe(), f"runs are not offered: {added.describe()}")
        yield router


def _refuse(_: MessageRun, /) -> bool:
    """Leave a run to the chain, message by message."""
    return False
