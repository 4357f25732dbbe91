"""A service that takes the events of a producer gone wrong: it mends them on their way in, until the producer is right again.

    export MILLSTREAM_KAFKA__BROKERS=localhost:9092 MILLSTREAM_CLICKHOUSE__DSN=http://default@localhost:8123/default
    millstream migrate --topics
    python examples/ex09_mending.py                                # sends 1,000 events as the producer does now
    cd examples && millstream run ex09_mending:make_router

docs/repair.md goes the whole way, from the first sign that something is wrong.
"""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from millstream.handlers import add_lanes, load_settings
from millstream.middleware import CorrelationID, FailurePolicy
from millstream.router import HandlerFunc, KafkaPublisher, Message, Router, RouterConfig


def mend(next_handler: HandlerFunc) -> HandlerFunc:
    """Give an event of version 2 the form that version 1 had; anything else passes as it came."""

    def handle(message: Message) -> Sequence[Message] | None:
        try:
            event = msgspec.json.decode(message.payload, type=dict[str, msgspec.Raw])
        except msgspec.MsgspecError:
            return next_handler(message)  # no event at all: the handler says what is wrong with it
        time = bytes(event.get("timestamp", b""))
        if "event" in event:
            event["event_name"] = event.pop("event")
        elif time.isdigit():
            event["timestamp"] = msgspec.Raw(msgspec.json.encode(datetime.fromtimestamp(int(time), UTC)))
        else:
            return next_handler(message)
        # A copy: what is set aside after all is the message as it came.
        mended = message.copy()
        mended.payload = msgspec.json.encode(event)
        return next_handler(mended)

    return handle


def make_router() -> Router:
    """Return the lanes of the settings, as `millstream run` has them by itself, with `mend` inside what sets messages aside."""
    settings = load_settings()
    router = Router(RouterConfig(close_timeout=settings.router.close_timeout, poison_limits=settings.poison))
    router.add_middleware(CorrelationID(), FailurePolicy(retry=settings.retry.make_retry()), mend)
    add_lanes(router, settings)
    return router


def wrong_events(count: int) -> Iterator[bytes]:
    """Yield events of version 2: of one the name is called otherwise, of the next the time is a number."""
    for number in range(count):
        event = {"id": f"v2-{number}", "tenant_id": "acme", "environment_id": "prod", "customer_id": "c-1"}
        time = datetime(2026, 11, 23, 10, number // 60, number % 60, tzinfo=UTC)
        if number % 2 == 0:
            yield msgspec.json.encode({**event, "event": "api_call", "timestamp": time})
        else:
            yield msgspec.json.encode({**event, "event_name": "api_call", "timestamp": int(time.timestamp())})


if __name__ == "__main__":
    now = load_settings()
    with contextlib.closing(KafkaPublisher(now.kafka.publisher_config())) as producer:
        producer.publish(now.event_processing.topic, *(Message(each, key=b"acme") for each in wrong_events(1000)))
