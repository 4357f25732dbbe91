"""Routers that share a subscriber or a publisher: each closes what is its own, and the last closes what they share."""

import gc

import pytest

from millstream.router import InMemoryPubSub, Message, PoisonTopic, Router
from millstream.router.testing import FakeSubscriber, RecordingHandler, RecordingPublisher, running

pytestmark = pytest.mark.slow  # routers that come and go: tenths of a second each


def publishing(publisher, subscriber=None, **options):
    """Return a router that publishes with *publisher*, and its subscriber."""
    subscriber, router = subscriber or FakeSubscriber(), Router()
    router.add_handler("h", "t", subscriber, "out", publisher, RecordingHandler(answer=lambda m: [m.copy()]), **options)
    return router, subscriber


def test_publisher_is_closed_by_the_last_of_the_routers_that_use_it():
    """The first to end would halt the others, whose next publish would find it closed."""
    publisher = RecordingPublisher()
    (first, _), (second, subscriber) = publishing(publisher), publishing(publisher)

    with running(second):
        with running(first):
            pass
        between = publisher.close_count
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert (between, publisher.close_count) == (0, 1)


@pytest.mark.parametrize("role", ["poison", "subscriber"])
def test_another_router_may_use_it_as_something_else(role):
    """As the publisher of a poison topic, or a pub/sub that it reads from."""
    pubsub, seen = InMemoryPubSub(), RecordingHandler()
    first, subscriber = publishing(pubsub)
    second = Router()
    if role == "poison":
        second.add_consumer_handler("h", "t", FakeSubscriber(), seen, poison=PoisonTopic(pubsub, "dlq"))
    else:
        second.add_consumer_handler("h", "t", pubsub, seen)

    with running(second):
        with running(first):
            subscriber.subscription.deliver(b"x")
            assert subscriber.subscription.wait_committed(1)
        pubsub.publish("t", Message(b"still open"))
        assert role == "poison" or seen.wait_calls(1)


def test_router_that_was_forgotten_unused_keeps_nothing_open():
    """It will never close what it was given."""
    publisher = RecordingPublisher()
    forgotten, _ = publishing(publisher)
    used, _ = publishing(publisher)
    del forgotten
    gc.collect()

    with running(used):
        pass

    assert publisher.close_count == 1


def test_closing_a_router_ends_no_subscription_but_its_own():
    """Neither those of another router on the same subscriber, nor those that the program has opened itself."""
    subscriber, first, second = FakeSubscriber(), Router(), Router()
    first.add_consumer_handler("a", "t", subscriber, RecordingHandler())
    second.add_consumer_handler("b", "u", subscriber, RecordingHandler())
    own = subscriber.subscribe("v")

    with running(second):
        with running(first):
            pass
        subscriptions = {each.topic: each.is_closed for each in subscriber.subscriptions}
        still_running = second.is_running

    assert subscriptions == {"t": True, "u": False, "v": False}
    assert (still_running, own.is_closed, subscriber.close_count) == (True, False, 0)


def test_in_memory_routers_share_a_pubsub():
    """The second goes on with what is published after the first has closed."""
    pubsub, seen, first, second = InMemoryPubSub(), RecordingHandler(), Router(), Router()
    first.add_consumer_handler("a", "t", pubsub, RecordingHandler())
    second.add_consumer_handler("b", "u", pubsub, seen)

    with running(second):
        with running(first):
            pass
        pubsub.publish("u", Message(b"after"))
        assert seen.wait_calls(1)
