"""What a middleware or a handler has put into a message, and errors without a text: the sink survives whatever stands there."""

import json

import pytest

from millstream.middleware import FailurePolicy, PoisonQueue, Retry
from millstream.router import Assignment, Message, PoisonFile, PoisonTopic, Router, RouterConfig
from millstream.router.testing import FakeSubscriber, RecordingPublisher, running

pytestmark = pytest.mark.slow  # a router for each odd content: a second in all

AT_ONCE = RouterConfig(nack_resend_delay=0.0, max_redeliveries=2)


class Unspeakable(Exception):
    """An error that breaks whoever prints it."""

    def __str__(self):
        return 7

    def __repr__(self):
        raise ValueError("no")


def decoding(value):
    """Return a middleware that puts *value* where the payload was."""

    def wrap(next_handler):
        def decode(message):
            message.payload = value
            return next_handler(message)

        return decode

    return wrap


def fail(message) -> None:
    """Raise an error."""
    raise ValueError("bad data")


class Changing:
    """A decorator of subscribers that changes what they deliver before a chain has it."""

    def __init__(self, change):
        self.change = change

    def __call__(self, subscriber):
        """Wrap *subscriber*."""
        subscribe = subscriber.subscribe

        def subscribing(*args):
            subscription = subscribe(*args)
            receive = subscription.receive
            subscription.receive = lambda *limits: [self.change(each) or each for each in receive(*limits)]
            return subscription

        subscriber.subscribe = subscribing
        return subscriber


def poison_one(middlewares, handler, sink, *decorators):
    """Let *handler* fail at one message and return once that and a later one are committed."""
    subscriber, router = FakeSubscriber(), Router(AT_ONCE)
    router.add_middleware(*middlewares)
    router.add_subscriber_decorator(*decorators)
    handle = router.add_consumer_handler("h", "t", subscriber, handler, poison=sink)
    with running(router):
        subscriber.subscription.deliver(b'{"id": 1}', b'{"id": 2}')
        assert subscriber.subscription.wait_committed(2)
    return handle.poisoned


@pytest.mark.parametrize("value", [{"a": 1}, None, 7, "text", [b"x"], object()], ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("policy", [[FailurePolicy(retry=None)], []], ids=["policy", "redeliveries"])
def test_record_has_the_payload_that_was_delivered(value, policy, tmp_path):
    """A decoding middleware replaces it in place; what is set aside is what came, in a topic and in a file."""
    publisher, path = RecordingPublisher(), tmp_path / "poison.ndjson"

    counts = [
        poison_one([*policy, decoding(value)], fail, PoisonTopic(publisher, "dlq")),
        poison_one([*policy, decoding(value)], fail, PoisonFile(path)),
        poison_one([*policy, decoding(value)], fail, "drop"),
    ]

    assert counts == [2, 2, 2]
    assert [each.payload for each in publisher.messages("dlq")] == [b'{"id": 1}', b'{"id": 2}']
    assert [json.loads(line)["payload"] for line in path.read_text().splitlines()] == ['{"id": 1}', '{"id": 2}']


def test_error_without_a_text_is_named_by_its_type():
    """Neither the sink's thread nor the handler's dies of it; it is logged as well, when it is to be delivered again."""

    def speechless(message) -> None:
        raise Unspeakable

    publisher = RecordingPublisher()

    assert poison_one([], speechless, PoisonTopic(publisher, "dlq")) == 2
    reasons = {each.metadata["reason_poisoned"] for each in publisher.messages("dlq")}
    assert reasons == {"Unspeakable, of which TypeError came instead of a text"}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda m: m.metadata.update({"n": 7, 8: "x"}), {"n": "7", "8": "x"}),
        (lambda m: setattr(m, "metadata", None), {"metadata": "None"}),
        (lambda m: setattr(m, "metadata", [1]), {"metadata": "[1]"}),
        (lambda m: m.metadata.update({"half": "\ud800"}), {"half": "\\ud800"}),
        (lambda m: m.context.values.update(attempts="many"), {"attempts_poisoned": "1"}),
    ],
    ids=["numbers", "None", "list", "half a character", "attempts"],
)
def test_metadata_of_any_type_becomes_text(change, found, tmp_path):
    """What is no text is shown as one; the other entries stay."""
    path = tmp_path / "poison.ndjson"

    assert poison_one([PoisonQueue()], fail, PoisonFile(path), Changing(change)) == 2
    metadata = json.loads(path.read_text().splitlines()[0])["metadata"]
    assert {name: metadata.get(name) for name in found} == found
    assert metadata["reason_poisoned"] == "bad data"


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [("key", "text", b"'text'"), ("key", bytearray(b"k"), b"k"), ("uuid", 7, "7"), ("timestamp", "noon", None)],
)
def test_other_fields_of_another_type_are_shown_as_what_they_should_be(field, value, found):
    """A record can always be written: no field of it is what no topic takes."""
    publisher, change = RecordingPublisher(), Changing(lambda message: setattr(message, field, value))

    assert poison_one([PoisonQueue()], fail, PoisonTopic(publisher, "dlq"), change) == 2
    assert getattr(publisher.messages("dlq")[0], field) == found


def test_each_retry_and_each_redelivery_starts_from_the_payload_that_it_had():
    """A middleware that decodes in place would otherwise decode what it has decoded; outside the retry it decodes once."""
    seen, failures = [], [ValueError("1"), ValueError("2"), ValueError("3")]

    def decode(next_handler):
        def decoded(message):
            message.payload = json.loads(message.payload)
            return next_handler(message)

        return decoded

    def handle(message) -> None:
        seen.append(message.payload)
        message.payload = None
        if failures:
            raise failures.pop()

    for middlewares in ([Retry(max_retries=1, initial_interval=0.0), decode], [decode, Retry(initial_interval=0.0)]):
        seen.clear()
        failures[:] = [ValueError(str(number)) for number in range(3)]
        subscriber, router = FakeSubscriber(), Router(AT_ONCE)
        router.add_middleware(*middlewares)
        router.add_consumer_handler("h", "t", subscriber, handle)
        with running(router):
            subscriber.subscription.deliver(b'{"id": 1}')
            assert subscriber.subscription.wait_committed(1)
        assert seen == [{"id": 1}] * 4


def test_message_keeps_the_payload_that_was_delivered():
    """However often it is replaced; a copy's change is its own, and what belongs to nobody keeps nothing."""
    message, own = Message(b"encrypted", assignment=Assignment("t", 0)), Message(b"first")
    message.payload = b"first"  # a decorator of the subscriber: no chain has it yet
    message.delivery.begin()
    message.copy().payload = b"other"
    untouched = message.original, message.delivery.extra
    message.payload = b"second"
    message.payload = b"third"
    own.payload = b"second"

    assert untouched == (b"first", None)
    assert (message.payload, message.original) == (b"third", b"first")
    assert (own.original, own.delivery.extra) == (b"second", None)
    message.restore()
    assert message.payload == b"first"


def test_record_and_redelivery_have_the_fields_that_were_delivered():
    """Whatever was assigned, in each of its attempts."""
    publisher, seen = RecordingPublisher(), []

    def handle(message) -> None:
        seen.append((message.uuid, message.key, message.metadata))
        message.uuid, message.key, message.metadata = "other", b"other", {"other": "1"}
        raise ValueError("bad data")

    assert poison_one([], handle, PoisonTopic(publisher, "dlq")) == 2
    first = publisher.messages("dlq")[0]
    assert seen[:3] == [(first.uuid, None, {})] * 3
    assert first.key is None
    assert "other" not in (first.uuid, *first.metadata)
