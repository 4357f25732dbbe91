"""Whether poison records could be written is asked at the start, not with the first of them."""

import pytest

from millstream.middleware import FailurePolicy
from millstream.router import (
    ConfigurationError,
    InMemoryConfig,
    InMemoryPubSub,
    PoisonFile,
    PoisonTopic,
    Router,
    TransientError,
)
from millstream.router.testing import FakeSubscriber, RecordingHandler, RecordingPublisher, running


class FindingPublisher(RecordingPublisher):
    """A publisher that knows its topics, or whose brokers do not answer."""

    def __init__(self, *topics, is_away=False):
        super().__init__()
        self.asked = []
        self._topics = topics
        self._is_away = is_away

    def find_topic(self, topic):
        """Look for *topic*."""
        self.asked.append(topic)
        if self._is_away:
            raise TransientError("nobody answers")
        if topic not in self._topics:
            raise ConfigurationError(f"topic {topic!r} does not exist; create it")


def routed(*choices):
    """Return a router with a handler for each of *choices*, and its subscriber."""
    subscriber, router = FakeSubscriber(), Router()
    for number, poison in enumerate(choices):
        router.add_consumer_handler(f"h{number}", f"t{number}", subscriber, RecordingHandler(), poison=poison)
    return router, subscriber


@pytest.mark.parametrize("middlewares", [[], [FailurePolicy()]], ids=["by the router", "by a policy"])
def test_poison_topic_that_does_not_exist_ends_the_start(middlewares):
    """The error names handler and topic; nothing was subscribed."""
    router, subscriber = routed(PoisonTopic(FindingPublisher("other"), "dlq"))
    router.add_middleware(*middlewares)

    what = "poison sink of handler 'h0': topic 'dlq' does not exist; create it"
    with pytest.raises(ConfigurationError, match=what), running(router):
        pass
    assert subscriber.subscriptions == []
    assert router.is_closed


def test_poison_topic_that_exists_is_found():
    """Each is asked for once."""
    publisher = FindingPublisher("one", "two")
    router, _ = routed(PoisonTopic(publisher, "one"), PoisonTopic(publisher, "two"))

    with running(router):
        pass

    assert publisher.asked == ["one", "two"]


def test_brokers_that_do_not_answer_are_waited_for_once_and_hold_up_nothing(log_lines):
    """The start goes on, with one warning that says why, and nobody else's topics are left out."""
    away, there = FindingPublisher(is_away=True), FindingPublisher("three")
    router, _ = routed(PoisonTopic(away, "one"), PoisonTopic(away, "two"), PoisonTopic(there, "three"))

    with running(router):
        pass

    assert (away.asked, there.asked) == (["one"], ["three"])
    assert [line for line in log_lines if "WARNING" in line] == [
        "WARNING poison sink of handler 'h0' not found before the start: nobody answers"
    ]


def test_poison_topic_that_nobody_reads_in_memory_is_warned_of(log_lines):
    """Without somebody who reads it, or a pub/sub that keeps what comes, its records would be dropped."""
    pubsub = InMemoryPubSub()
    router, _ = routed(PoisonTopic(pubsub, "dlq"))

    with running(router):
        pass

    assert "poison sink of handler 'h0' not found before the start: nobody reads 'dlq' yet" in "".join(log_lines)


@pytest.mark.parametrize("reader", ["persistent", "subscription", "handler of the same router"])
def test_poison_topic_that_somebody_reads_in_memory_is_not_warned_of(reader, log_lines):
    """Also where the reader is a handler that starts only now."""
    pubsub = InMemoryPubSub(InMemoryConfig(persistent=reader == "persistent"))
    router, _ = routed(PoisonTopic(pubsub, "dlq"))
    if reader == "subscription":
        pubsub.subscribe("dlq")
    if reader == "handler of the same router":
        router.add_consumer_handler("reads", "dlq", pubsub, RecordingHandler())

    with running(router):
        pass

    assert [line for line in log_lines if "WARNING" in line] == []


@pytest.mark.parametrize(
    ("name", "what"), [("absent/dlq", "there is no folder .*absent: create it"), ("", "is a folder")]
)
def test_poison_file_that_could_not_be_made_ends_the_start(tmp_path, name, what):
    """Rather than stopping intake at the first record."""
    router, subscriber = routed(PoisonFile(tmp_path / name))

    with pytest.raises(ConfigurationError, match=f"poison sink of handler 'h0': .*{what}"), running(router):
        pass
    assert subscriber.subscriptions == []


def test_writer_that_cannot_tell_is_taken_as_it_is():
    """As one of the user's own, and a file that can be made, which is not made before there is a record."""
    router, _ = routed(PoisonTopic(RecordingPublisher(), "dlq"), "drop", "halt", "redeliver")

    with running(router):
        pass
