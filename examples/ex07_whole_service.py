"""A whole service: the lanes of `millstream.toml`, a handler and a middleware of one's own, in one process.

    scripts/kafka start --port 9092                          # or: docker compose up --wait
    export MILLSTREAM_KAFKA__BROKERS=localhost:9092 MILLSTREAM_EVENT_PROCESSING_LAZY__ENABLED=false
    cd examples && millstream run ex07_whole_service:make_router      # or: python ex07_whole_service.py

With `--reload` it starts again when you change it. Topics: `events` (usage events, into the store) and `signups` (answered on
`welcomes`). What fails is in `event_processing_dlq` and in `signups-dlq`. All of them have to exist; docs/kafka.md shows how to
make one from Python, with `KafkaAdmin`.
"""

from collections.abc import Sequence

import msgspec
from loguru import logger

from millstream.handlers import add_lanes, load_settings
from millstream.middleware import CorrelationID, FailurePolicy
from millstream.router import (
    HandlerFunc,
    KafkaPublisher,
    KafkaSubscriber,
    Message,
    PoisonTopic,
    Router,
    RouterConfig,
    SignalsHandler,
    exit_on_error,
)


class Signup(msgspec.Struct):
    name: str


def welcome(message: Message) -> list[Message]:
    """Answer a sign-up: what a handler returns is published before its message counts as handled."""
    signup = msgspec.json.decode(message.payload, type=Signup)
    return [Message(f"Welcome, {signup.name}!".encode(), key=message.key)]


def log_slow(next_handler: HandlerFunc) -> HandlerFunc:
    """Say which message took long; a middleware takes the next handler and returns one."""

    def handle(message: Message) -> Sequence[Message] | None:
        clock = message.context.clock
        began = clock.now()
        try:
            return next_handler(message)
        finally:
            if (took := clock.now() - began) > 0.5:
                logger.warning("{} took {:.1f} s", message.uuid, took)

    return handle


def make_router() -> Router:
    """Return the service, ready to be run: `millstream run` calls this."""
    settings = load_settings()
    router = Router(RouterConfig(close_timeout=settings.router.close_timeout, poison_limits=settings.poison))
    router.add_middleware(CorrelationID(), FailurePolicy(retry=settings.retry.make_retry()), log_slow)
    add_lanes(router, settings)

    subscriber = KafkaSubscriber(settings.kafka.subscriber_config("welcomer"))
    publisher = KafkaPublisher(settings.kafka.publisher_config())
    poison = PoisonTopic(publisher, "signups-dlq")
    router.add_handler("welcomer", "signups", subscriber, "welcomes", publisher, welcome, poison=poison)
    return router


if __name__ == "__main__":
    logger.enable("millstream")
    with exit_on_error():
        service = make_router()
        service.add_plugin(SignalsHandler())
        service.run()
