"""Registrations that are right by themselves and wrong together: refused before anything runs."""

import pytest

from millstream.router import (
    REDELIVER,
    ConfigurationError,
    InMemoryConfig,
    InMemoryPubSub,
    KafkaSubscriber,
    KafkaSubscriberConfig,
    Message,
    PoisonTopic,
    Router,
)
from millstream.router.running.clashes import refuse_clashes
from millstream.router.running.handler import Handler
from millstream.router.testing import FakeSubscriber, RecordingHandler, RecordingPublisher, eventually, running


def handle(message) -> None:
    """Do nothing."""


def handler(name, topic, subscriber, *, dlq=None, publisher=None):
    """Return a handler that reads *topic* and poisons to *dlq*."""
    poison = REDELIVER if dlq is None else PoisonTopic(publisher or subscriber, dlq)
    return Handler(name, topic, subscriber, handle, poison=poison)


def kafka(group, *brokers):
    """Return a Kafka subscriber that opens nothing."""
    return KafkaSubscriber(KafkaSubscriberConfig(brokers=list(brokers or ["a:1"]), group_id=group))


def test_poison_topic_that_its_handler_reads_is_refused_at_the_start():
    """Every poisoned message would come back, grow, and be poisoned again."""
    pubsub, router = InMemoryPubSub(), Router()
    router.add_consumer_handler("h", "t", pubsub, RecordingHandler(), poison=PoisonTopic(pubsub, "t"))

    with pytest.raises(ConfigurationError, match="poison topic of handler 'h' is 't', which handler 'h' reads"):
        router.run()
    assert router.is_closed


def test_poison_topics_that_lead_back_over_others_are_refused():
    """However many handlers are on the way."""
    pubsub = InMemoryPubSub()
    circle = [
        handler("a", "t", pubsub, dlq="u"),
        handler("b", "u", pubsub, dlq="v"),
        handler("c", "v", pubsub, dlq="t"),
    ]

    with pytest.raises(ConfigurationError, match="for ever"):
        refuse_clashes(circle)
    refuse_clashes([*circle[:2], handler("c", "v", pubsub, dlq="end")])


@pytest.mark.parametrize("order", [1, -1])
def test_circle_is_found_beside_another_reader_of_the_poison_topic(order):
    """Whichever of the two was added first."""
    pubsub = InMemoryPubSub()
    both = [handler("bystander", "t", pubsub), handler("x", "t", pubsub, dlq="t")]

    with pytest.raises(ConfigurationError, match="'x'"):
        refuse_clashes(both[::order])


def test_poison_topic_may_have_the_same_name_elsewhere():
    """On another cluster, or where nobody says what is where."""
    pubsub, other = InMemoryPubSub(), InMemoryPubSub()

    refuse_clashes([handler("h", "t", pubsub, dlq="t", publisher=other)])
    refuse_clashes([handler("h", "t", FakeSubscriber(), dlq="t", publisher=RecordingPublisher())])


@pytest.mark.parametrize("subscribers", ["same", "two", "one broker in common", "in memory"])
def test_two_handlers_of_one_group_on_one_topic_are_refused(subscribers):
    """Each message would go to one of them, and with one partition all to the same."""
    persistent = InMemoryPubSub(InMemoryConfig(persistent=True))
    one = kafka("g", "a:1", "b:1")
    pairs = {
        "same": (one, one),
        "two": (one, kafka("g", "a:1", "b:1")),
        "one broker in common": (one, kafka("g", "B:1 ".strip(), "c:1")),
        "in memory": (persistent.group("g"), persistent.group("g")),
    }
    handlers = [Handler(name, "t", each, handle) for name, each in zip("xy", pairs[subscribers], strict=True)]

    with pytest.raises(ConfigurationError, match=r"'x' and 'y' both read topic 't' in group 'g'.*a group of its own"):
        refuse_clashes(handlers)


def test_two_handlers_may_share_what_is_not_the_same():
    """Another topic, another group, another cluster, or a pub/sub that gives everything to everybody."""
    pubsub = InMemoryPubSub()

    for one, other in [
        (Handler("x", "t", kafka("g"), handle), Handler("y", "u", kafka("g"), handle)),
        (Handler("x", "t", kafka("g"), handle), Handler("y", "t", kafka("h"), handle)),
        (Handler("x", "t", kafka("g"), handle), Handler("y", "t", kafka("g", "z:1"), handle)),
        (Handler("x", "t", pubsub, handle), Handler("y", "t", pubsub, handle)),
    ]:
        refuse_clashes([one, other])


def test_handler_that_publishes_to_the_topic_that_it_reads_is_warned_of(log_lines):
    """It may be meant: what is not ready yet goes to the end of the queue."""
    pubsub, seen = InMemoryPubSub(), RecordingHandler()
    router = Router()
    router.add_handler(
        "h", "t", pubsub, "t", pubsub, lambda m: seen(m) or ([Message(b"again")] if m.payload == b"x" else [])
    )

    with running(router):
        pubsub.publish("t", Message(b"x"))
        assert eventually(lambda: seen.payloads == [b"x", b"again"])

    assert "handler 'h' publishes to the topic that it reads" in "".join(log_lines)
