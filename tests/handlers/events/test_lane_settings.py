"""The settings of a lane are obeyed by whatever registers it: whether it is enabled, and its consumer group."""

import pytest

from millstream.handlers.events import (
    BULK,
    LAZY,
    REGULAR,
    REPLAY,
    EventConsumptionService,
    EventRepository,
    LaneConfig,
    PostProcessor,
)
from millstream.handlers.testing import FakeStore
from millstream.router import ConfigurationError, InMemoryConfig, InMemoryPubSub, Router

REGISTER = [
    pytest.param("register_handler", REGULAR, id="regular"),
    pytest.param("register_handler_lazy", LAZY, id="lazy"),
    pytest.param("register_handler_replay", REPLAY, id="replay"),
    pytest.param("register_bulk_handler", BULK, id="bulk"),
]


def in_group(name):
    """Return a subscriber in the group *name*."""
    return InMemoryPubSub(InMemoryConfig(persistent=True)).group(name)


def register(name, subscriber, **options):
    """Register the lane whose method is *name*; returns its handler and the router."""
    router = Router()
    method = getattr(EventConsumptionService(EventRepository(FakeStore())), name)
    return method(router, subscriber, poison="drop", **options), router


def lane(**options):
    """Return the settings of a lane."""
    return LaneConfig(**{"topic": "t", "consumer_group": "ours", "topic_dlq": "drop", **options})


@pytest.mark.parametrize(("name", "default"), REGISTER)
def test_a_lane_that_is_not_enabled_is_not_registered(name, default):
    """There is no handler, and nothing that would be started for it."""
    handler, router = register(name, InMemoryPubSub(), lane=lane(enabled=False))

    assert handler is None
    assert not router.handlers
    assert not router.workers


@pytest.mark.parametrize(("name", "default"), REGISTER)
def test_a_lane_that_is_registered_without_settings_is_wanted(name, default):
    """Also one that is off unless enabled, and whatever the group of its subscriber."""
    handler, router = register(name, in_group("another"))

    assert router.handlers == {handler.name: handler}
    assert handler.topic == default.topic


@pytest.mark.parametrize(("name", "default"), REGISTER)
def test_a_subscriber_in_another_group_than_the_lane_s_is_refused(name, default):
    """The error names both, and what to open it with."""
    with pytest.raises(ConfigurationError, match=r"'ours', .* group 'theirs': open it with .*lane\.consumer_group"):
        register(name, in_group("theirs"), lane=lane())


@pytest.mark.parametrize("subscriber", [in_group("ours"), InMemoryPubSub()], ids=["its own", "in none"])
def test_a_subscriber_in_the_group_of_the_lane_or_in_none_is_taken(subscriber):
    """An in-memory broker need have no groups."""
    handler, _ = register("register_handler", subscriber, lane=lane())

    assert handler.topic == "t"


@pytest.mark.parametrize("default", [REGULAR, LAZY, REPLAY, BULK], ids=["regular", "lazy", "replay", "bulk"])
def test_no_default_is_called_after_another_company(default):
    """A group that somebody reads as theirs would be taken for a mistake."""
    assert not any("flexprice" in name for name in (default.topic, default.consumer_group, default.topic_dlq))


def attach_told(subscriber, publisher, *, topic="t"):
    """Register a lane that reads the topic "t", and whose events are told to *topic*; returns its handler."""
    told = PostProcessor(publisher, topic)
    service = EventConsumptionService(EventRepository(FakeStore()), post_processor=told)
    return service.register_handler(Router(), subscriber, lane=lane(), poison="drop")


def test_post_processing_to_the_topic_that_a_lane_reads_is_refused():
    """Each event would be stored again for ever."""
    broker = InMemoryPubSub(InMemoryConfig(persistent=True))

    with pytest.raises(ConfigurationError, match="post-processing goes to topic 't', which it reads"):
        attach_told(broker.group("ours"), broker)


@pytest.mark.parametrize(("is_same", "topic"), [(False, "t"), (True, "stored")], ids=["elsewhere", "another topic"])
def test_post_processing_to_another_topic_is_taken(is_same, topic):
    """Of another broker, too: there a topic of the same name is another one."""
    broker = InMemoryPubSub(InMemoryConfig(persistent=True))

    assert attach_told(broker.group("ours"), broker if is_same else InMemoryPubSub(), topic=topic) is not None
