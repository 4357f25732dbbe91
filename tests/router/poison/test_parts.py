"""The poison record of a message that brings several things: only those that failed, once all are done."""

import pytest

from millstream.router import Message, PermanentError, PoisonTopic, Router, RouterConfig
from millstream.router.delivery.failure import Failure
from millstream.router.delivery.parts import MAX_REASON_CHARACTERS, MAX_TOLD, Division, Excerpt, text_of_parts
from millstream.router.poison.record import poison_record
from millstream.router.testing import FakeSubscriber, RecordingPublisher, eventually, running


class Letters:
    """A content whose parts are its letters."""

    def __init__(self, payload):
        self._payload = payload

    def excerpt(self, parts):
        """Return the letters at *parts*."""
        if len(parts) == len(self._payload):
            return None
        return Excerpt(bytes(self._payload[part] for part in parts), {"count": str(len(parts))})


def take_apart(owner):
    """Return a handler that holds each letter for *owner*."""

    def handle(message):
        for part in range(len(message.payload)):
            message.hold(owner, part)
        message.delivery.divide(owner, Letters(message.payload))

    return handle


def taken_apart(handler):
    """Return a router whose handler takes messages apart, its subscriber, and where its records go."""
    subscriber, publisher, router = FakeSubscriber(), RecordingPublisher(), Router(RouterConfig(max_redeliveries=0))
    router.add_consumer_handler("h", "t", subscriber, handler, poison=PoisonTopic(publisher, "dlq"))
    return router, subscriber, publisher


def test_one_record_holds_the_failed_parts_whenever_they_failed():
    """It is written when the last part is done, in the order of the parts, each with its reason."""
    owner = object()
    router, subscriber, publisher = taken_apart(take_apart(owner))

    with running(router):
        (message,) = subscriber.subscription.deliver(b"abcd")
        assert eventually(lambda: message.is_acked)
        message.fail(PermanentError("no d"), owner, 3)
        message.delivery.release(owner, 0)
        message.fail(ValueError("no b"), owner, 1)
        (before, committed) = publisher.attempts, subscriber.subscription.committed()
        message.delivery.release(owner, 2)
        assert subscriber.subscription.wait_committed(1)

    (record,) = publisher.messages("dlq")
    assert (before, committed) == (0, 0)
    assert record.payload == b"bd"
    assert record.metadata["reason_poisoned"] == "part 1: no b; part 3: no d"
    assert record.metadata["error_class_poisoned"] == "PermanentError"
    assert record.metadata["count"] == "2"


def test_record_of_a_message_whose_parts_all_failed_is_the_message():
    """Its bytes as they came, with the reason of each part."""
    owner = object()
    router, subscriber, publisher = taken_apart(take_apart(owner))

    with running(router):
        (message,) = subscriber.subscription.deliver(b"ab")
        assert eventually(lambda: message.is_acked)
        message.fail(ValueError("no"), owner, 0)
        message.fail(ValueError("nor"), owner, 1)
        assert subscriber.subscription.wait_committed(1)

    (record,) = publisher.messages("dlq")
    assert (record.payload, record.metadata["reason_poisoned"]) == (b"ab", "part 0: no; part 1: nor")


def test_record_of_a_message_whose_payload_was_changed_is_what_was_delivered():
    """What a middleware made of it, such as by decrypting it, is not what the topic takes, and may be a secret."""
    owner = object()

    def change(message):
        message.payload = message.payload.upper()
        take_apart(owner)(message)

    router, subscriber, publisher = taken_apart(change)
    with running(router):
        (message,) = subscriber.subscription.deliver(b"ab")
        assert eventually(lambda: message.is_acked)
        message.delivery.release(owner, 0)
        message.fail(ValueError("no b"), owner, 1)
        assert subscriber.subscription.wait_committed(1)

    (record,) = publisher.messages("dlq")
    assert (record.payload, record.metadata["reason_poisoned"]) == (b"ab", "part 1: no b")


def test_record_of_a_message_that_its_chain_failed_is_the_message():
    """A part that failed before makes it no smaller: what became of the others nobody knows."""
    owner = object()

    def fail(message):
        take_apart(owner)(message)
        message.fail(ValueError("no a"), owner, 0)
        raise ValueError("the chain as well")

    router, subscriber, publisher = taken_apart(fail)
    with running(router):
        subscriber.subscription.deliver(b"ab")
        assert subscriber.subscription.wait_committed(1)

    (record,) = publisher.messages("dlq")
    assert (record.payload, record.metadata["reason_poisoned"]) == (b"ab", "no a")


def failed(*failures):
    """Return a message of two letters, taken apart by `owner`, with these failures."""
    message = Message(b"ab")
    for owner, part in failures:
        message.hold(owner, part).fail(ValueError("no"))
    message.delivery.divide("owner", Letters(message.payload))
    return message


def test_a_hold_of_somebody_else_stands_for_the_whole_message():
    """Its part says nothing about those of who took the message apart."""
    message = failed(("owner", 1), ("a middleware", 0))

    record = poison_record(message, message.failures[0])

    assert (record.payload, record.metadata["reason_poisoned"]) == (b"ab", "no")


def test_a_message_that_nobody_took_apart_is_recorded_as_it_is():
    """Whatever part its owner has named."""
    message = Message(b"ab")
    message.hold("owner", 1).fail(ValueError("no"))

    record = poison_record(message, message.failures[0])

    assert (record.payload, record.metadata["reason_poisoned"]) == (b"ab", "no")


def test_a_division_names_the_failed_parts_in_their_order():
    """However late the first of them failed."""
    errors = [ValueError(part) for part in range(3)]
    division = Division("owner", Letters(b"abcd"))

    parts = division.failed([Failure(errors[part], "owner", part) for part in (2, 0)])

    assert list(parts.items()) == [(0, errors[0]), (2, errors[2])]


@pytest.mark.parametrize(
    ("count", "end"),
    [(1, "part 0: 0"), (MAX_TOLD, f"part {MAX_TOLD - 1}: {MAX_TOLD - 1}"), (MAX_TOLD + 3, "; and 3 more")],
)
def test_reasons_of_many_parts_stay_short(count, end):
    """A record's metadata has to fit beside its payload."""
    text = text_of_parts({part: ValueError(part) for part in range(count)})
    long = text_of_parts(dict.fromkeys(range(count), ValueError("x" * 10_000)))

    assert text.endswith(end)
    assert len(long) < (MAX_TOLD + 1) * (MAX_REASON_CHARACTERS + 20)
