"""What a policy declines to poison is delivered again for as long as it takes, with growing waits."""

import pytest

from millstream.middleware import FailurePolicy, PoisonQueue
from millstream.router import PoisonTopic, PublishError, Router, RouterConfig, TransientError
from millstream.router.running.runner import Retries
from millstream.router.testing import (
    FakeSubscriber,
    ManualClock,
    RecordingHandler,
    RecordingPublisher,
    eventually,
    running,
)

AT_ONCE = RouterConfig(nack_resend_delay=0.0, max_redeliveries=3)


def outcome(error, *middlewares, times=20):
    """Let a handler fail *times* times with *error*; return how often it was called and what was poisoned."""
    subscriber, router, publisher = FakeSubscriber(), Router(AT_ONCE), RecordingPublisher()
    handler = RecordingHandler([error] * times)
    router.add_middleware(*middlewares)
    router.add_consumer_handler("h", "t", subscriber, handler, poison=PoisonTopic(publisher, "dlq"))
    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)
    return len(handler.payloads), len(publisher.messages("dlq"))


@pytest.mark.parametrize(
    ("error", "middlewares"),
    [
        (ConnectionError("away"), [PoisonQueue(filter=lambda error: isinstance(error, ValueError))]),
        (ConnectionError("away"), [FailurePolicy(retry=None, poison=False)]),
        (TransientError("away"), []),
        (TransientError("away"), [FailurePolicy(retry=None, poison=False)]),
    ],
    ids=["filter", "policy without poison", "transient", "transient and policy"],
)
def test_what_is_declined_is_never_poisoned_by_count(error, middlewares):
    """An outage that lasts past `max_redeliveries` sets no good message aside."""
    assert outcome(error, *middlewares) == (21, 0)


@pytest.mark.parametrize(
    ("error", "middlewares", "calls"),
    [
        (ValueError("bad"), [PoisonQueue(filter=lambda error: isinstance(error, ValueError))], 1),
        (ValueError("bad"), [], 4),
        (ValueError("bad"), [FailurePolicy(retry=None)], 1),
    ],
    ids=["taken by the filter", "nobody judges", "policy"],
)
def test_what_is_taken_or_judged_by_nobody_is_poisoned(error, middlewares, calls):
    """The bound is for errors that no middleware has an opinion on."""
    assert outcome(error, *middlewares) == (calls, 1)


def test_only_failures_that_count_are_counted():
    """A message that has waited out a long outage has all its tries left."""
    errors = [TransientError("away")] * 12 + [ValueError("once")]
    subscriber, router, publisher = FakeSubscriber(), Router(AT_ONCE), RecordingPublisher()
    handler = RecordingHandler(errors)
    router.add_consumer_handler("h", "t", subscriber, handler, poison=PoisonTopic(publisher, "dlq"))

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert (len(handler.payloads), publisher.messages("dlq")) == (14, [])


def test_publish_of_the_handler_itself_that_is_refused_for_good_is_final():
    """No other try would end otherwise, and nobody in the chain has an opinion."""
    assert outcome(PublishError("out", {"u": "too large"}, refused=[0])) == (1, 1)


def test_nacks_are_counted_also_behind_a_policy():
    """A policy judges errors; a handler that only ever nacks would otherwise stop its partition for good."""
    subscriber, router, publisher = FakeSubscriber(), Router(AT_ONCE), RecordingPublisher()
    handler = RecordingHandler(answer=lambda message: message.nack() and None)
    router.add_middleware(PoisonQueue(filter=lambda error: False))
    router.add_consumer_handler("h", "t", subscriber, handler, poison=PoisonTopic(publisher, "dlq"))

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert len(handler.payloads) == 4
    assert publisher.messages("dlq")[0].metadata["reason_poisoned"] == "nacked by its handler"


def test_waits_double_up_to_their_limit():
    """0.1, 0.2, 0.4 … 10 s, and never past that; a first wait that is longer stays what it is."""
    waits = Retries(0.1, 10.0, 10)

    assert [round(waits.delay(times), 3) for times in range(9)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert waits.delay(1_000_000) == 10.0
    assert [Retries(60.0, 10.0, 10).delay(times) for times in (0, 5)] == [60.0, 60.0]
    assert Retries(0.0, 10.0, 10).delay(1_000_000) == 0.0


def test_router_waits_longer_each_time():
    """The second redelivery comes after twice the first wait; another partition shows when the first has failed."""
    clock, failures = ManualClock(), [ValueError("no")] * 2
    calls = []

    def handle(message) -> None:
        calls.append(message.payload)
        if message.payload == b"bad" and failures:
            raise failures.pop()

    subscriber, router = FakeSubscriber(2), Router(RouterConfig(nack_resend_delay=5.0), clock=clock)
    router.add_consumer_handler("h", "t", subscriber, handle)

    with running(router):
        subscription = subscriber.subscription
        subscription.deliver(b"bad", partition=0)
        subscription.deliver(b"1", partition=1)
        assert subscription.wait_committed(1, partition=1)
        clock.advance(5.0)
        assert eventually(lambda: calls.count(b"bad") == 2)
        subscription.deliver(b"2", partition=1)
        assert subscription.wait_committed(2, partition=1)
        clock.advance(9.9)
        subscription.deliver(b"3", partition=1)
        assert subscription.wait_committed(3, partition=1)
        early = calls.count(b"bad")
        clock.advance(0.2)
        assert subscription.wait_committed(1, partition=0)

    assert (early, calls.count(b"bad")) == (2, 3)
