"""Middleware of a router and of a handler together."""

from millstream.middleware import CorrelationID, FailurePolicy, InstantAck, Throttle
from millstream.router import InMemoryPubSub, Message, PoisonTopic, Router
from millstream.router.testing import RecordingHandler, running


def tracing(name, calls):
    """Return a middleware that notes when it is entered and left."""

    def middleware(next_handler):
        def traced(message):
            calls.append(f"{name} in")
            try:
                return next_handler(message)
            finally:
                calls.append(f"{name} out")

        return traced

    return middleware


def test_first_added_is_outermost_and_the_router_outside_the_handler():
    """Ours and a user's own are the same kind of thing and keep the order in which they were added."""
    pubsub, calls = InMemoryPubSub(), []
    handler = RecordingHandler(answer=lambda _: calls.append("handler"))
    router = Router()
    added = router.add_consumer_handler("h", "t", pubsub, handler, poison="drop")
    added.add_middleware(tracing("third", calls), InstantAck())
    router.add_middleware(tracing("first", calls), FailurePolicy(), tracing("second", calls))

    with running(router):
        pubsub.publish("t", Message(b"x"))
        assert handler.wait_calls(1)

    assert calls == ["first in", "second in", "third in", "handler", "third out", "second out", "first out"]


def test_whole_chain_handles_every_message():
    """With everything in the chain, good messages come out in order and only the bad one is set aside."""
    pubsub = InMemoryPubSub()
    out, poisoned = pubsub.subscribe("out"), pubsub.subscribe("dlq")
    router = Router()
    router.add_middleware(CorrelationID(), Throttle(1e6, burst=1000), FailurePolicy(retry=None), InstantAck())

    def upper(message):
        return [Message(message.payload.decode("ascii").upper().encode())]

    router.add_handler("h", "in", pubsub, "out", pubsub, upper, poison=PoisonTopic(pubsub, "dlq"))
    payloads = [b"a", b"b", b"\xff", b"c"]

    with running(router):
        pubsub.publish("in", *[Message(each, metadata={"correlation_id": "c1"}) for each in payloads])
        (record,) = poisoned.receive(10, 10.0)
    received = out.receive(10, 0.0)

    assert [message.payload for message in received] == [b"A", b"B", b"C"]
    assert {message.metadata["correlation_id"] for message in received} == {"c1"}
    assert record.payload == b"\xff"
    assert record.metadata["error_class_poisoned"] == "UnicodeDecodeError"
