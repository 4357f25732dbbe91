"""What the tests of the consumption service share."""

import contextlib

from millstream.handlers.batching import BatchConfig, BatchMessage
from millstream.handlers.events import EventConsumptionService, EventRepository, LaneConfig, decode_event
from millstream.handlers.testing import FakeStore
from millstream.middleware import FailurePolicy
from millstream.router import InMemoryPubSub, Message, Router, RouterConfig
from millstream.router.testing import running
from tests.handlers.events.event_payloads import make_payload

FAST = {"retry_interval": 0.001, "max_retry_interval": 0.001, "wait_interval": 0.001}
"""Waits between attempts that do not slow a test."""


def payloads(count, **changes):
    """Return *count* payloads with ids of their own."""
    return [make_payload(id=f"e-{number}", **changes) for number in range(count)]


def batch_of(*contents):
    """Return batch messages as the batching handlers make them."""
    return [BatchMessage(Message(each, uuid="u"), decode_event(each)) for each in contents]


def make_service(store=None, *, billing=None, post_processor=None, clock=None, **config):
    """Return a service on a fake store."""
    repository = EventRepository(FakeStore() if store is None else store, billing=billing)
    options = {} if clock is None else {"clock": clock}
    return EventConsumptionService(
        repository, batch_config=BatchConfig(**FAST, **config), post_processor=post_processor, **options
    )


@contextlib.contextmanager
def consuming(service, *, middlewares=(), lane=None, **options):
    """Run *service* on an in-memory broker; yields the broker, the router and the handler of the regular lane."""
    broker, router = InMemoryPubSub(), Router()
    router.add_middleware(*(middlewares or [FailurePolicy(retry=None)]))
    lane = LaneConfig(topic="events", consumer_group="g", topic_dlq="dlq") if lane is None else lane
    handler = service.register_handler(router, broker, lane=lane, publisher=broker, **options)
    with running(router):
        yield broker, router, handler


@contextlib.contextmanager
def consuming_bulk(service, *, middlewares=(), close_timeout=30.0, **options):
    """Run the bulk lane of *service* on an in-memory broker; yields the broker and the handler. Records go to `bulk-dlq`."""
    broker, router = InMemoryPubSub(), Router(RouterConfig(close_timeout=close_timeout))
    router.add_middleware(FailurePolicy(retry=None), *middlewares)
    lane = LaneConfig(topic="bulk", consumer_group="g", topic_dlq="bulk-dlq")
    handler = service.register_bulk_handler(router, broker, lane=lane, publisher=broker, **options)
    with running(router):
        yield broker, handler


def publish(broker, contents, topic="events"):
    """Publish each of *contents* as a message."""
    broker.publish(topic, *[Message(each) for each in contents])
