"""A handler of one's own and a middleware of one's own beside both lanes in one router, until Ctrl-C.

    python examples/ex02_own_handler.py
    millstream query "SELECT * FROM events"      # what it has stored, once it has ended

Needs neither a broker nor a server.
"""

import itertools
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from loguru import logger

from millstream.handlers import EventConsumptionService, EventPublisher, EventRepository, create_event, load_settings
from millstream.middleware import CorrelationID, FailurePolicy
from millstream.router import (
    DROP,
    HALT,
    HandlerFunc,
    InMemoryPubSub,
    Message,
    Middleware,
    PoisonFile,
    Router,
    SignalsHandler,
)


def log_slow(seconds: float) -> Middleware:
    """Make a middleware that says when a handler took long: it takes the next handler and returns one."""

    def middleware(next_handler: HandlerFunc) -> HandlerFunc:
        def handle(message: Message) -> Sequence[Message] | None:
            clock = message.context.clock
            began = clock.now()
            try:
                return next_handler(message)
            finally:
                if (took := clock.now() - began) > seconds:
                    logger.warning("{} took {:.3f} s", message.uuid, took)

        return handle

    return middleware


def greet(message: Message) -> list[Message]:
    """Answer an order: what a handler returns is published before its message counts as handled."""
    return [Message(b"thank you for " + message.payload)]


def show(message: Message) -> None:
    """Print what was answered."""
    print(message.payload.decode())


def main() -> None:
    logger.enable("millstream")
    settings = load_settings()
    service = EventConsumptionService(EventRepository.open(settings.clickhouse.address), batch_config=settings.batch)
    broker = InMemoryPubSub()

    router = Router()
    router.add_plugin(SignalsHandler())
    router.add_middleware(CorrelationID(), FailurePolicy(retry=settings.retry.make_retry()), log_slow(0.5))
    poison = PoisonFile("poison.ndjson")
    service.register_handler(router, broker, lane=settings.event_processing, poison=poison)
    service.register_handler_lazy(router, broker, lane=settings.event_processing_lazy, poison=DROP)
    router.add_handler("greeter", "orders", broker, "thanks", broker, greet, poison=HALT)
    router.add_consumer_handler("printer", "thanks", broker, show, poison=DROP)
    router.start()
    threading.Thread(target=publish, args=(broker, router), name="publisher", daemon=True).start()
    router.wait_closed()
    print(service.stats)


def publish(broker: InMemoryPubSub, router: Router) -> None:
    """Send an event and an order ten times a second."""
    events = EventPublisher(broker, route_tenants_on_lazy_mode=["bulk"])
    pause = threading.Event()
    for number in itertools.count():
        if not router.is_running or pause.wait(0.1):
            return
        tenant = "bulk" if number % 3 == 0 else "acme"
        events.publish(
            create_event(
                {"bytes": number},
                id=str(number),
                tenant_id=tenant,
                environment_id="production",
                event_name="order",
                timestamp=datetime.now(UTC),
                external_customer_id="c-1",
            )
        )
        broker.publish("orders", Message(b"order %d" % number))


if __name__ == "__main__":
    main()
