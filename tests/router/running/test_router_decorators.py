"""Decorators of publishers and subscribers: order, sharing, closing."""

from millstream.router import Message, PoisonTopic, Router
from millstream.router.testing import FakeSubscriber, RecordingHandler, RecordingPublisher, running


class AppendingPublisher:
    """Appends a suffix to what is published."""

    def __init__(self, suffix, publisher, closed=None):
        self._suffix, self._publisher, self._closed = suffix, publisher, closed

    def publish(self, topic, *messages):
        """Publish changed copies."""
        self._publisher.publish(topic, *[Message(message.payload + self._suffix) for message in messages])

    def close(self):
        """Note the close and pass it on."""
        if self._closed is not None:
            self._closed.append(self._suffix)
        self._publisher.close()


class AppendingSubscription:
    """Appends a suffix to what is received."""

    def __init__(self, suffix, subscription):
        self._suffix, self._subscription = suffix, subscription

    def receive(self, max_messages, timeout):
        """Change what the inner one received."""
        chunk = self._subscription.receive(max_messages, timeout)
        for message in chunk:
            message.payload += self._suffix
        return chunk

    def close(self):
        """Pass it on."""
        self._subscription.close()


class AppendingSubscriber:
    """Opens subscriptions that append a suffix."""

    def __init__(self, suffix, subscriber, closed=None):
        self._suffix, self._subscriber, self._closed = suffix, subscriber, closed

    def subscribe(self, topic, listener=None):
        """Wrap the inner one's subscription."""
        return AppendingSubscription(self._suffix, self._subscriber.subscribe(topic, listener))

    def close(self):
        """Note the close and pass it on."""
        if self._closed is not None:
            self._closed.append(self._suffix)
        self._subscriber.close()


def test_first_publisher_decorator_sees_a_message_first():
    """The first added is the outermost: "foo" is appended before "bar"."""
    subscriber, publisher, router = FakeSubscriber(), RecordingPublisher(), Router()
    router.add_publisher_decorator(lambda each: AppendingPublisher(b"foo", each))
    router.add_publisher_decorator(lambda each: AppendingPublisher(b"bar", each))
    router.add_handler("h", "t", subscriber, "out", publisher, lambda message: [Message(b"")])

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert publisher.wait_published(1)

    assert publisher.messages()[0].payload == b"foobar"


def test_first_subscriber_decorator_sees_a_message_first():
    """The first added is the innermost: "foo" is appended before "bar"."""
    subscriber, handler, router = FakeSubscriber(), RecordingHandler(), Router()
    router.add_subscriber_decorator(
        lambda each: AppendingSubscriber(b"foo", each), lambda each: AppendingSubscriber(b"bar", each)
    )
    router.add_consumer_handler("h", "t", subscriber, handler)

    with running(router):
        subscriber.subscription.deliver(b"")
        assert handler.wait_calls(1)

    assert handler.payloads == [b"foobar"]


def test_shared_neighbours_are_decorated_once():
    """Two handlers with the same subscriber and publisher share the decorated ones too."""
    subscriber, publisher, router = FakeSubscriber(), RecordingPublisher(), Router()
    decorated = []
    router.add_publisher_decorator(lambda each: decorated.append(each) or each)
    router.add_subscriber_decorator(lambda each: decorated.append(each) or each)
    router.add_handler("one", "a", subscriber, "out", publisher, RecordingHandler())
    router.add_handler("other", "b", subscriber, "out", publisher, RecordingHandler())

    with running(router):
        pass

    assert sorted(map(id, decorated)) == sorted([id(subscriber), id(publisher)])


def test_decorated_publisher_is_closed_once_through_its_decorator():
    """What a decorator opened it can close; the publisher behind it is closed once, also when a poison topic has it too."""
    subscriber, publisher, router, closed = FakeSubscriber(), RecordingPublisher(), Router(), []
    router.add_publisher_decorator(lambda each: AppendingPublisher(b"publisher", each, closed))
    poison = PoisonTopic(publisher, "dlq")
    router.add_handler("one", "a", subscriber, "out", publisher, RecordingHandler(), poison=poison)
    router.add_handler("other", "b", subscriber, "out", publisher, RecordingHandler())

    with running(router):
        pass

    assert closed == [b"publisher"]
    assert publisher.close_count == 1
