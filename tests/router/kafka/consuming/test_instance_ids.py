"""Static members: each subscription is one of its own, with an id that comes back after a restart."""

import pytest

from millstream.router import KafkaSubscriber, KafkaSubscriberConfig, Router
from millstream.router.testing import RecordingHandler, eventually

pytestmark = pytest.mark.slow  # brokers to talk to: tenths of a second each

STATIC = KafkaSubscriberConfig(brokers=["127.0.0.1:1"], group_id="g", group_instance_id="pod-0")


class Listener:
    """Whoever listens for the handler *name*; hears nothing, as there are no brokers."""

    def __init__(self, name):
        self.name = name


class Opening:
    """A subscriber that keeps what it *opened*."""

    def __init__(self, subscriber, opened):
        self._subscriber = subscriber
        self._opened = opened
        self.close = subscriber.close

    def subscribe(self, topic, listener=None):
        """Subscribe, and keep it."""
        self._opened.append(self._subscriber.subscribe(topic, listener))
        return self._opened[-1]


@pytest.fixture
def subscriber():
    """A subscriber of static members, whose brokers nobody has."""
    made = KafkaSubscriber(STATIC)
    yield made
    made.close()


def ids(*subscriptions):
    """Return the instance ids of *subscriptions*."""
    return [each.instance_id for each in subscriptions]


def test_each_handler_of_a_router_is_a_static_member_of_its_own():
    """Handler and topic stand in the id: one id for both would have the members fence each other."""
    router, opened = Router(), []
    subscriber = Opening(KafkaSubscriber(STATIC), opened)
    router.add_consumer_handler("regular", "events", subscriber, RecordingHandler())
    router.add_consumer_handler("lazy", "events_lazy", subscriber, RecordingHandler())
    router.start()
    router.close()

    assert ids(*opened) == ["pod-0-regular-events", "pod-0-lazy-events_lazy"]


def test_id_is_the_same_after_a_restart_and_after_a_close(subscriber):
    """The group knows it again and leaves its partitions where they were."""
    other = KafkaSubscriber(STATIC)
    first, elsewhere = subscriber.subscribe("events", Listener("h")), other.subscribe("events", Listener("h"))
    other.close()
    first.close()
    assert eventually(lambda: not first.is_open)
    again = subscriber.subscribe("events", Listener("h"))

    assert ids(first, elsewhere, again) == ["pod-0-h-events"] * 3


def test_subscriptions_without_a_router_are_told_apart_by_topic_and_number(subscriber):
    """In the order of subscribing; nobody names a handler."""
    subscriptions = [subscriber.subscribe(topic) for topic in ("a", "b", "a", "a")]

    assert ids(*subscriptions) == ["pod-0-a", "pod-0-b", "pod-0-a-2", "pod-0-a-3"]


def test_ids_that_would_be_put_together_alike_are_told_apart(subscriber):
    """A hyphen may stand in a handler's name as well as in a topic."""
    one, other = subscriber.subscribe("d", Listener("b-c")), subscriber.subscribe("c-d", Listener("b"))

    assert ids(one, other) == ["pod-0-b-c-d", "pod-0-b-c-d-2"]


def test_member_that_is_not_static_has_no_id():
    """The settings are left as they are."""
    subscriber = KafkaSubscriber(KafkaSubscriberConfig(brokers=["127.0.0.1:1"], group_id="g"))
    subscription = subscriber.subscribe("events", Listener("h"))
    subscriber.close()

    assert subscription.instance_id is None
