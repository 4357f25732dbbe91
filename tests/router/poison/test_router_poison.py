"""What a router does with messages that nobody can handle."""

import threading

import pytest

from millstream.router import (
    HALT,
    REDELIVER,
    HaltedError,
    InMemoryPubSub,
    Message,
    PermanentError,
    PoisonTopic,
    PublishError,
    Router,
    RouterConfig,
)
from millstream.router.testing import (
    FakeSubscriber,
    ManualClock,
    RecordingHandler,
    RecordingPublisher,
    eventually,
    running,
)

TWICE = RouterConfig(nack_resend_delay=0.0, max_redeliveries=2)


def consumer(handler, poison, *, config=TWICE, partitions=1):
    """Return a router with one consumer handler and that poison choice, and its subscriber."""
    subscriber = FakeSubscriber(partitions)
    router = Router(config)
    router.add_consumer_handler("h", "t", subscriber, handler, poison=poison)
    return router, subscriber


def test_permanent_error_is_poisoned_without_redelivery():
    """What will fail again is not tried again, also without any middleware."""
    pubsub, handler = InMemoryPubSub(), RecordingHandler([PermanentError("never")])
    router = Router(TWICE)
    handle = router.add_consumer_handler("h", "t", pubsub, handler, poison="drop")

    with running(router):
        pubsub.publish("t", Message(b"x"), Message(b"y"))
        assert eventually(lambda: handle.poisoned == 1)
        assert handler.wait_calls(2)

    assert handler.payloads == [b"x", b"y"]


def test_message_goes_to_the_poison_topic_after_max_redeliveries():
    """Two redeliveries make three attempts; the record is the message with metadata that says why."""
    pubsub, poisoned = InMemoryPubSub(), RecordingHandler()
    handler = RecordingHandler([ValueError("bad row")] * 3)
    router = Router(TWICE)
    router.add_consumer_handler("h", "t", pubsub, handler, poison=PoisonTopic(pubsub, "dlq"))
    router.add_consumer_handler("dlq", "dlq", pubsub, poisoned)

    with running(router):
        pubsub.publish("t", Message(b"x", uuid="u", key=b"k", metadata={"tenant": "a"}), Message(b"y"))
        assert poisoned.wait_calls(1)
        assert handler.wait_calls(4)

    (record,) = poisoned.messages
    time = record.metadata.pop("time_poisoned")
    assert handler.payloads == [b"x", b"x", b"x", b"y"]
    assert (record.payload, record.uuid, record.key) == (b"x", "u", b"k")
    assert time.endswith("+00:00")
    assert record.metadata == {
        "tenant": "a",
        "reason_poisoned": "bad row",
        "topic_poisoned": "t",
        "handler_poisoned": "h",
        "subscriber_poisoned": "InMemoryPubSub",
        "attempts_poisoned": "3",
        "partition_poisoned": "0",
        "offset_poisoned": "0",
        "error_class_poisoned": "ValueError",
    }


def test_manual_nacks_without_end_are_poisoned_too():
    """A nack without an error counts like one."""
    publisher = RecordingPublisher()
    router, subscriber = consumer(RecordingHandler(answer=lambda m: m.nack() and None), PoisonTopic(publisher, "dlq"))

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert publisher.messages("dlq")[0].metadata["reason_poisoned"] == "nacked by its handler"


def test_poisoned_message_is_committed_only_when_its_record_is_safe():
    """While the record cannot be written the offset stays where it is."""
    publisher = RecordingPublisher()
    publisher.break_down(PublishError("dlq", {"u": "down"}))
    handler = RecordingHandler([ValueError("bad")] * 3)
    router, subscriber = consumer(handler, PoisonTopic(publisher, "dlq"))

    with running(router):
        (message,) = subscriber.subscription.deliver(b"x")
        assert publisher.wait_attempts(1)
        assert subscriber.subscription.committed() == 0
        assert message.is_void
        publisher.recover()

    assert subscriber.subscription.committed() == 1
    assert len(publisher.messages("dlq")) == 1


def test_halt_stops_the_router_and_leaves_the_message_uncommitted():
    """With `poison="none"` `run` raises `HaltedError`; what was handled before is committed, the message is not."""
    handler = RecordingHandler([None, *[ValueError("bad row")] * 3])
    router, subscriber = consumer(handler, "none")
    router.start()
    subscriber.subscription.deliver(b"good", b"bad", b"never reached")

    with pytest.raises(HaltedError, match="bad row") as caught:
        router.wait_closed(10)

    assert isinstance(caught.value.__cause__, ValueError)
    assert subscriber.subscription.committed() == 1
    assert b"never reached" not in handler.payloads


def test_halted_error_of_a_handler_stops_the_router_at_once():
    """A policy inside the chain may stop the router; the message is neither delivered again nor poisoned."""
    publisher = RecordingPublisher()
    handler = RecordingHandler([HaltedError("storm")])
    router, subscriber = consumer(handler, PoisonTopic(publisher, "dlq"))
    router.start()
    subscriber.subscription.deliver(b"x")

    with pytest.raises(HaltedError, match="storm"):
        router.wait_closed(10)

    assert (handler.payloads, publisher.messages(), subscriber.subscription.committed()) == ([b"x"], [], 0)


def test_drop_counts_and_goes_on():
    """With `poison="drop"` the message settles, and the handler knows how many were dropped."""
    handler = RecordingHandler([ValueError("bad")] * 3)
    subscriber, router = FakeSubscriber(), Router(TWICE)
    added = router.add_consumer_handler("h", "t", subscriber, handler, poison="drop")

    with running(router):
        subscriber.subscription.deliver(b"bad", b"good")
        assert subscriber.subscription.wait_committed(2)

    assert added.poisoned == 1


def test_failed_hold_makes_one_record_when_all_holds_are_in():
    """Three owners, two failures from other threads: nothing is written before the last hold, then one record, first error."""
    publisher, owners = RecordingPublisher(), [object(), object(), object()]
    handler = RecordingHandler(answer=lambda m: [m.hold(owner) for owner in owners] and None)
    router, subscriber = consumer(handler, PoisonTopic(publisher, "dlq"))

    with running(router):
        (message,) = subscriber.subscription.deliver(b"x")
        assert eventually(lambda: message.is_acked)
        in_other_thread(lambda: message.fail(PermanentError("first"), owners[1]))
        in_other_thread(lambda: message.fail(PermanentError("second"), owners[2]))
        (barrier,) = subscriber.subscription.deliver(b"barrier")
        assert eventually(lambda: barrier.is_acked)
        for owner in owners:
            barrier.fail(PermanentError("barrier"), owner)
        assert publisher.wait_published(1)
        before = [record.payload for record in publisher.messages("dlq")], subscriber.subscription.committed()
        message.delivery.release(owners[0])
        assert subscriber.subscription.wait_committed(2)

    record = publisher.messages("dlq")[1]
    assert before == ([b"barrier"], 0)
    assert len(publisher.messages("dlq")) == 2
    assert record.metadata["reason_poisoned"] == "first"
    assert record.metadata["error_class_poisoned"] == "PermanentError"


def test_second_failure_after_the_record_writes_no_second_one_and_holds_up_no_close():
    """An owner that fails late, when the sink has the message already, changes nothing."""
    publisher, owners = RecordingPublisher(), [object(), object()]
    handler = RecordingHandler([ValueError("bad")] * 3, answer=None)

    def hold_then_fail(message):
        for owner in owners:
            message.hold(owner)
        return handler(message)

    router, subscriber = consumer(hold_then_fail, PoisonTopic(publisher, "dlq"))

    with running(router):
        (message,) = subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)
        message.fail(PermanentError("late"), owners[1])

    assert len(publisher.messages("dlq")) == 1
    assert router.is_closed


def test_failed_hold_and_failed_chain_make_one_record():
    """Poisoned is the last word: the handler is not asked again, and the first error stands in the record."""
    publisher, owner = RecordingPublisher(), object()
    handler = RecordingHandler()

    def fail_twice(message):
        message.hold(owner).fail(PermanentError("no such column"))
        handler(message)
        raise ValueError("and the chain failed as well")

    config = RouterConfig(nack_resend_delay=3600.0)
    router, subscriber = consumer(fail_twice, PoisonTopic(publisher, "dlq"), config=config)

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert [record.metadata["reason_poisoned"] for record in publisher.messages("dlq")] == ["no such column"]
    assert handler.payloads == [b"x"]


def test_failed_hold_of_a_message_that_waits_for_its_redelivery_ends_the_waiting():
    """The sink takes it while it is parked; what waits behind it is handled, itself not again."""
    clock, publisher, owner = ManualClock(), RecordingPublisher(), object()
    handler = RecordingHandler([ValueError("busy")])

    def hold(message):
        message.hold(owner)
        return handler(message)

    subscriber, router = FakeSubscriber(2), Router(RouterConfig(nack_resend_delay=5.0), clock=clock)
    router.add_consumer_handler("h", "t", subscriber, hold, poison=PoisonTopic(publisher, "dlq"))

    with running(router):
        first, second = subscriber.subscription.deliver(b"x", b"y")
        assert handler.wait_calls(1)
        first.fail(PermanentError("no such column"), owner)
        assert publisher.wait_published(1)
        clock.advance(5.0)
        assert handler.wait_calls(2)
        second.delivery.release(owner)
        assert subscriber.subscription.wait_committed(2)

    assert handler.payloads == [b"x", b"y"]
    assert len(publisher.messages("dlq")) == 1


def test_holds_that_are_void_hold_up_no_close():
    """Once the sink has a message, an owner that still holds it need not release: the close does not wait for it."""
    publisher, owners = RecordingPublisher(), [object(), object()]

    def fail_twice(message):
        holds = [message.hold(owner) for owner in owners]
        holds[0].fail(PermanentError("no such column"))
        raise ValueError("and the chain failed as well")

    config = RouterConfig(max_redeliveries=0, close_timeout=1.0)
    router, subscriber = consumer(fail_twice, PoisonTopic(publisher, "dlq"), config=config)

    with running(router):
        (message,) = subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert message.is_void
    assert [record.metadata["reason_poisoned"] for record in publisher.messages("dlq")] == ["no such column"]


@pytest.mark.parametrize("poison", [REDELIVER, HALT, "redeliver", "halt", "none"])
def test_failed_hold_without_a_sink_halts(poison):
    """Nobody can take the message, so the router stops with the error of the owner and commits nothing of it."""
    owner = object()
    router, subscriber = consumer(RecordingHandler(answer=lambda m: m.hold(owner) and None), poison)
    router.start()
    (message,) = subscriber.subscription.deliver(b"x")
    assert eventually(lambda: message.is_acked)
    message.fail(PermanentError("no"), owner)

    with pytest.raises(HaltedError, match="no"):
        router.wait_closed(10)

    assert subscriber.subscription.committed() == 0


def in_other_thread(call):
    """Run *call* on a thread of its own and wait for it."""
    thread = threading.Thread(target=call)
    thread.start()
    thread.join(10)
