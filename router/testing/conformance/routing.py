"""Running one handler of a case behind a router."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...poison import PoisonTopic
from ...protocols import HandlerFunc
from ...router import Router, RouterConfig
from ..running import running
from .lent import LentPublisher, LentSubscriber
from .trial import Trial

MAX_REDELIVERIES = 2
"""Of a message that is never handled: enough to see that there is a limit and that it is kept."""
CONFIG = RouterConfig(nack_resend_delay=0.01, max_redeliveries=MAX_REDELIVERIES)


@contextmanager
def routed(trial: Trial, handler: HandlerFunc, *, poison_topic: str | None = None) -> Iterator[Router]:
    """Run a router that takes the messages of the case's topic to *handler*, for the length of a `with` block."""
    router = Router(CONFIG)
    poison = None if poison_topic is None else PoisonTopic(LentPublisher(trial.publisher), poison_topic)
    router.add_consumer_handler("conformance", trial.topic, LentSubscriber(trial.subscriber), handler, poison=poison)
    with running(router):
        yield router
