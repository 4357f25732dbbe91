"""Following a request through the messages that come of it."""

import pytest

from millstream.middleware import CorrelationID, correlation_id_of, set_correlation_id
from millstream.router import InMemoryPubSub, Message, Router
from millstream.router.testing import RecordingHandler, running
from tests.middleware.middleware_aids import make_message


def handled(message, *produced):
    """Return what the middleware makes of *produced*."""
    return CorrelationID()(lambda _: produced)(message)


def test_produced_messages_get_the_id_of_the_consumed_one():
    """The key is Watermill's, so that its services read it."""
    produced = handled(make_message(metadata={"correlation_id": "c1"}), Message(b"a"), Message(b"b"))

    assert [each.metadata for each in produced] == [{"correlation_id": "c1"}] * 2


def test_produced_id_is_never_overwritten():
    """A message that has an id keeps it."""
    (produced,) = handled(
        make_message(metadata={"correlation_id": "c1"}), Message(b"a", metadata={"correlation_id": "own"})
    )

    assert correlation_id_of(produced) == "own"


@pytest.mark.parametrize("metadata", [{}, {"correlation_id": ""}], ids=["missing", "empty"])
def test_no_id_is_made_up(metadata):
    """Where the consumed message has none, nothing is written, not even an empty one."""
    (produced,) = handled(make_message(metadata=metadata), Message(b"a"))

    assert produced.metadata == {}


def test_handler_without_output_passes():
    """`None` stays `None`."""
    assert CorrelationID()(lambda _: None)(make_message()) is None


def test_id_is_set_once():
    """Setting is for where a request enters: an id that came with it stays, an empty one is not written."""
    message = Message(b"a")
    for value in ("", "c1", "c2"):
        set_correlation_id(message, value)

    assert correlation_id_of(message) == "c1"
    assert correlation_id_of(Message(b"b")) == ""


def test_id_travels_through_two_handlers_of_a_router():
    """One id goes from topic to topic."""
    pubsub = InMemoryPubSub()
    end = pubsub.subscribe("three")
    router = Router()
    router.add_middleware(CorrelationID())
    for source, target in (("one", "two"), ("two", "three")):
        copy = RecordingHandler(answer=lambda message: [Message(message.payload)])
        router.add_handler(source, source, pubsub, target, pubsub, copy)

    with running(router):
        pubsub.publish("one", Message(b"x", metadata={"correlation_id": "c1"}))
        (received,) = end.receive(1, 10.0)

    assert correlation_id_of(received) == "c1"
