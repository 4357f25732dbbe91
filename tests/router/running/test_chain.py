"""Middleware around a handler."""

from millstream.router import InMemoryPubSub, Message, Router
from millstream.router.running.chain import build_chain
from millstream.router.testing import RecordingHandler, running


def noting(name, calls):
    """Return a middleware that notes when a message goes in and comes out."""

    def middleware(handler):
        calls.append(f"build {name}")

        def handle(message):
            calls.append(f"> {name}")
            produced = handler(message)
            calls.append(f"< {name}")
            return produced

        return handle

    return middleware


def test_chain_without_middleware_is_the_handler():
    """Nothing is paid for what is not used."""

    def handler(message):
        return None

    assert build_chain(handler) is handler
    assert build_chain(handler, [], []) is handler


def test_first_added_is_outermost_and_router_level_is_outside():
    """Each level in the order it was added, an earlier level around a later one."""
    calls = []
    chain = build_chain(
        lambda message: calls.append("handler"),
        [noting("r1", calls), noting("r2", calls)],
        [noting("h1", calls), noting("h2", calls)],
    )
    calls.clear()

    chain(Message(b""))

    assert calls == ["> r1", "> r2", "> h1", "> h2", "handler", "< h2", "< h1", "< r2", "< r1"]


def test_middleware_is_built_once_and_not_called_while_building():
    """A thousand messages build nothing."""
    calls = []
    chain = build_chain(lambda message: None, [noting("m", calls)])

    for _ in range(3):
        chain(Message(b""))

    assert calls.count("build m") == 1
    assert calls.count("> m") == 3


def test_what_the_handler_returns_or_raises_goes_through():
    """A chain changes nothing by itself."""
    produced = [Message(b"")]

    assert build_chain(lambda message: produced, [noting("m", [])])(Message(b"")) is produced


def test_middleware_of_the_router_knows_which_handler_it_stands_in():
    """One instance serves all: the context says whose chain a message is in, also to a worker that has it later."""
    seen, pubsub, router = [], InMemoryPubSub(), Router()

    def look(next_handler):
        def looking(message):
            context = message.context
            seen.append((context.handler_name, context.subscribe_topic, context.publish_topic))
            return next_handler(message)

        return looking

    router.add_middleware(look)
    router.add_handler("double", "in", pubsub, "out", pubsub, lambda message: [Message(message.payload * 2)])
    results = RecordingHandler()
    router.add_consumer_handler("collect", "out", pubsub, results)
    with running(router):
        pubsub.publish("in", Message(b"x"))
        assert results.wait_calls(1)

    assert seen == [("double", "in", "out"), ("collect", "out", "")]
    assert results.messages[0].copy().context.handler_name == "collect"
