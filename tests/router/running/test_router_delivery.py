"""What becomes of a message in a running router: acked, published, delivered again, or left alone."""

import threading

import pytest

from millstream.router import Cancelled, InMemoryPubSub, Message, Router, RouterConfig
from millstream.router.testing import (
    FakeSubscriber,
    ManualClock,
    RecordingHandler,
    RecordingPublisher,
    eventually,
    running,
)

AT_ONCE = RouterConfig(nack_resend_delay=0.0)


def consumer(handler, *, partitions=1, config=AT_ONCE, clock=None, **options):
    """Return a router with one consumer handler on a fake topic, and its subscriber."""
    subscriber = FakeSubscriber(partitions)
    router = Router(config) if clock is None else Router(config, clock=clock)
    router.add_consumer_handler("h", "t", subscriber, handler, **options)
    return router, subscriber


def test_handled_messages_are_committed():
    """Returning from the handler is the ack, and the commit follows."""
    router, subscriber = consumer(RecordingHandler())

    with running(router):
        subscriber.subscription.deliver(b"0", b"1", b"2")
        assert subscriber.subscription.wait_committed(3)


def test_messages_go_through_two_handlers_and_come_out():
    """The output of one handler is the input of the next."""
    pubsub, results = InMemoryPubSub(), RecordingHandler()
    router = Router()
    router.add_handler("double", "in", pubsub, "out", pubsub, lambda m: [Message(m.payload * 2)])
    router.add_consumer_handler("collect", "out", pubsub, results)

    with running(router):
        pubsub.publish("in", *[Message(b"%d" % n) for n in range(5)])
        assert results.wait_calls(5)

    assert results.payloads == [b"00", b"11", b"22", b"33", b"44"]


def test_produced_messages_are_published_in_one_call_before_the_message_settles():
    """At the moment of the publish the consumed message is not settled yet."""
    seen = []
    publisher = RecordingPublisher(record=lambda text: seen.append((text, handler.messages[0].is_settled)))
    handler = RecordingHandler(answer=lambda m: [Message(b"a"), Message(b"b")])
    subscriber = FakeSubscriber()
    router = Router()
    router.add_handler("h", "t", subscriber, "out", publisher, handler)

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert seen[0] == ("publish out", False)
    assert [[m.payload for m in messages] for _, messages in publisher.calls] == [[b"a", b"b"]]


def test_failed_message_comes_again_before_any_later_message_of_its_partition():
    """Order within a partition survives failures."""
    handler = RecordingHandler([None, ValueError("1"), ValueError("1 again")])
    router, subscriber = consumer(handler)

    with running(router):
        subscriber.subscription.deliver(b"0", b"1", b"2", b"3")
        assert subscriber.subscription.wait_committed(4)

    assert handler.payloads == [b"0", b"1", b"1", b"1", b"2", b"3"]


def test_redelivery_waits_for_nack_resend_delay_while_other_partitions_go_on():
    """The failed partition waits for its moment; the others are handled and committed meanwhile."""
    clock = ManualClock()
    handler = RecordingHandler([ValueError("once")])
    router, subscriber = consumer(handler, partitions=2, config=RouterConfig(nack_resend_delay=5.0), clock=clock)

    with running(router):
        subscription = subscriber.subscription
        subscription.deliver(b"a0", b"a1", partition=0)
        subscription.deliver(b"b0", b"b1", partition=1)
        assert subscription.wait_committed(2, partition=1)
        clock.advance(4.9)
        subscription.deliver(b"b2", partition=1)
        assert subscription.wait_committed(3, partition=1)
        assert handler.payloads == [b"a0", b"b0", b"b1", b"b2"]
        clock.advance(0.2)
        assert subscription.wait_committed(2, partition=0)

    assert handler.payloads == [b"a0", b"b0", b"b1", b"b2", b"a0", b"a1"]


def test_messages_that_arrive_behind_a_failed_one_queue_up_behind_it():
    """A later chunk does not overtake what is waiting."""
    clock = ManualClock()
    handler = RecordingHandler([ValueError("once")])
    router, subscriber = consumer(handler, partitions=2, config=RouterConfig(nack_resend_delay=5.0), clock=clock)

    with running(router):
        subscription = subscriber.subscription
        subscription.deliver(b"a0", partition=0)
        assert handler.wait_calls(1)
        subscription.deliver(b"a1", b"a2", partition=0)
        subscription.deliver(b"b0", partition=1)
        assert subscription.wait_committed(1, partition=1)
        clock.advance(5.0)
        assert subscription.wait_committed(3, partition=0)

    assert handler.payloads == [b"a0", b"b0", b"a0", b"a1", b"a2"]


def test_a_failing_message_without_poison_sink_is_delivered_without_end():
    """No sink, no limit: only success settles it."""
    handler = RecordingHandler([ValueError("no")] * 30)
    router, subscriber = consumer(handler, config=RouterConfig(nack_resend_delay=0.0, max_redeliveries=3))

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert len(handler.payloads) == 31
    assert handler.messages[-1].redeliveries == 30


def test_manual_nack_is_delivered_again():
    """A handler that nacks and returns is asked again."""
    answers = iter([Message.nack, Message.ack])
    handler = RecordingHandler(answer=lambda m: next(answers)(m) and None)
    router, subscriber = consumer(handler)

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert len(handler.payloads) == 2


def test_what_was_produced_with_a_manual_nack_is_published_every_time():
    """At-least-once holds for output too: the nack asks for the whole handler again."""
    answers = iter([Message.nack, Message.ack])

    def answer(message):
        next(answers)(message)
        return [Message(b"out")]

    publisher, subscriber = RecordingPublisher(), FakeSubscriber()
    router = Router(AT_ONCE)
    router.add_handler("h", "t", subscriber, "out", publisher, RecordingHandler(answer=answer))

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert len(publisher.messages("out")) == 2


def test_error_after_an_early_ack_is_delivered_again():
    """An ack inside the chain is a promise to the router, not to the broker: the chain's own hold keeps the commit back."""

    def ack_first(handler):
        def handle(message):
            message.ack()
            committed.append(subscriber.subscription.committed())
            return handler(message)

        return handle

    committed = []
    handler = RecordingHandler([ValueError("after the ack")])
    router, subscriber = consumer(handler)
    router.add_middleware(ack_first)

    with running(router):
        subscriber.subscription.deliver(b"x", b"y")
        assert subscriber.subscription.wait_committed(2)

    assert handler.payloads == [b"x", b"x", b"y"]
    assert committed == [0, 0, 1]


def test_held_message_is_not_committed_before_its_release():
    """The router goes on to later messages, the commit does not."""
    owner = object()
    handler = RecordingHandler(answer=lambda m: m.hold(owner) and None)
    router, subscriber = consumer(handler)

    with running(router):
        first, second = subscriber.subscription.deliver(b"x", b"y")
        assert handler.wait_calls(2)
        second.delivery.release(owner)
        assert subscriber.subscription.committed() == 0
        first.delivery.release(owner)
        assert subscriber.subscription.wait_committed(2)


def test_cancelled_by_a_handler_on_its_own_is_a_nack():
    """Nobody else will get the message while nothing closes, so it is delivered again."""
    handler = RecordingHandler([Cancelled()])
    router, subscriber = consumer(handler)

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert handler.payloads == [b"x", b"x"]


def test_wait_of_a_handler_ends_with_cancelled_at_close_and_settles_nothing():
    """Being called off is no failure: no ack, no poison, the message stays uncommitted."""
    entered = threading.Event()

    def sleep(message):
        entered.set()
        message.context.wait(3600.0)

    dropped = RecordingPublisher()
    router, subscriber = consumer(sleep, poison="drop")

    with running(router):
        (message,) = subscriber.subscription.deliver(b"x")
        assert entered.wait(10)

    assert subscriber.subscription.committed() == 0
    assert (message.is_settled, message.failures, dropped.messages()) == (False, [], [])


def test_context_ends_with_the_settlement_and_not_with_the_ack():
    """Whoever holds the message can still use its context."""
    owner = object()

    def keep(message):
        contexts.append(message.context)
        message.hold(owner)
        message.ack()

    contexts = []
    router, subscriber = consumer(keep)

    with running(router):
        (message,) = subscriber.subscription.deliver(b"x")
        assert eventually(lambda: message.is_acked)
        before = contexts[0].is_cancelled
        message.delivery.release(owner)
        assert subscriber.subscription.wait_committed(1)
        after = contexts[0].is_cancelled

    assert (before, after) == (False, True)


def test_handler_that_exits_the_process_stops_the_router_with_that():
    """`SystemExit` is no failure of a message: it ends the router and leaves the message uncommitted."""
    handler = RecordingHandler([SystemExit(7)])
    router, subscriber = consumer(handler)
    router.start()
    subscriber.subscription.deliver(b"x")

    with pytest.raises(SystemExit):
        router.wait_closed(10)

    assert subscriber.subscription.committed() == 0
