"""What becomes of the chains when partitions go: who runs is waited for, who sleeps is called off, nobody else starts."""

import sys
import threading

import pytest

from millstream.router import Cancelled, PoisonTopic, Router, RouterConfig
from millstream.router.testing import (
    FakeSubscriber,
    ManualClock,
    RecordingHandler,
    RecordingPublisher,
    eventually,
    running,
)


def revoking(subscription, *partitions, timeout=10.0):
    """Revoke on a thread of its own; returns it and the list that the outcome goes to."""
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(subscription.revoke(*partitions, timeout=timeout)))
    thread.start()
    return thread, outcome


def test_revoke_waits_for_the_running_chain_and_commits_its_message():
    """A slow handler is waited for, its message is committed, the ones behind it are left to the next owner."""
    entered, go_on, handler = threading.Event(), threading.Event(), RecordingHandler()

    def work(message):
        entered.set()
        go_on.wait(10)
        return handler(message)

    subscriber, router = FakeSubscriber(2), Router()
    router.add_consumer_handler("h", "t", subscriber, work)

    with running(router):
        subscription = subscriber.subscription
        first, second = subscription.deliver(b"running", b"not started")
        assert entered.wait(10)
        thread, outcome = revoking(subscription, 0)
        assert eventually(lambda: first.assignment.is_closing)
        while_running = thread.is_alive()
        go_on.set()
        thread.join(10)

    assert while_running is True
    assert outcome == [True]
    assert handler.payloads == [b"running"]
    assert (subscription.committed(0), second.delivery.is_started) == (1, False)


def test_deadline_that_passes_while_a_handler_hangs_lets_the_partition_go():
    """The revoke returns at its deadline; the handler's late end commits nothing and the message comes again."""
    entered, go_on = threading.Event(), threading.Event()

    def hang(message):
        if message.assignment.epoch == 1:
            entered.set()
            go_on.wait(10)

    subscriber, router = FakeSubscriber(), Router()
    router.add_consumer_handler("h", "t", subscriber, hang)

    with running(router):
        subscription = subscriber.subscription
        (message,) = subscription.deliver(b"x")
        assert entered.wait(10)
        subscription.revoke(0, timeout=0.05)
        go_on.set()
        assert eventually(lambda: message.is_settled)
        after_late = subscription.committed(0)
        subscription.assign(0)
        assert subscription.wait_committed(1)

    assert after_late == 0


def test_revoke_of_a_concurrent_handler_waits_for_every_thread():
    """All threads that are in the partition are waited for, and what lay in their queues is not started."""
    entered, go_on = threading.Barrier(3), threading.Event()

    def work(message):
        if message.payload == b"first":
            entered.wait(10)
            go_on.wait(10)

    subscriber, router = FakeSubscriber(2), Router()
    router.add_consumer_handler("h", "t", subscriber, work, concurrency=2)
    # Without a key the partition decides on the thread, so both threads are in a handler.
    with running(router):
        subscription = subscriber.subscription
        behind = [subscription.deliver(b"first", b"behind", partition=number)[1] for number in range(2)]
        entered.wait(10)
        thread, outcome = revoking(subscription, 0, 1)
        assert eventually(lambda: behind[0].assignment.is_closing and behind[1].assignment.is_closing)
        while_running = thread.is_alive()
        go_on.set()
        thread.join(10)

    assert (while_running, outcome) == (True, [True])
    assert [message.delivery.is_started for message in behind] == [False, False]
    assert [subscription.committed(number) for number in range(2)] == [1, 1]


def test_sleep_of_a_handler_ends_with_cancelled():
    """A retry sleep on a revoked partition is called off at once; its message is neither acked nor poisoned, and comes again."""
    entered, ends = threading.Event(), []

    def sleep(message):
        if message.assignment.epoch > 1:
            return
        entered.set()
        try:
            message.context.wait(3600.0)
        except Cancelled:
            ends.append(message.context.is_cancelled)
            raise

    publisher, subscriber, router = RecordingPublisher(), FakeSubscriber(), Router()
    router.add_consumer_handler("h", "t", subscriber, sleep, poison=PoisonTopic(publisher, "dlq"))

    with running(router):
        subscription = subscriber.subscription
        subscription.deliver(b"x", b"y")
        assert entered.wait(10)
        thread, outcome = revoking(subscription, 0, timeout=60.0)
        assert eventually(lambda: ends, 5.0)
        thread.join(10)
        before = subscription.committed(0)
        subscription.assign(0)
        assert subscription.wait_committed(2)

    assert (outcome, ends, before) == ([True], [True], 0)
    assert publisher.messages() == []


def test_nack_wait_ends_and_the_message_comes_again_elsewhere():
    """A message that waits for its redelivery holds up no revoke; what is before it is committed, the rest comes again."""
    clock = ManualClock()
    handler = RecordingHandler([None, ValueError("no")])
    subscriber, router = FakeSubscriber(2), Router(RouterConfig(nack_resend_delay=60.0), clock=clock)
    router.add_consumer_handler("h", "t", subscriber, handler)

    with running(router):
        subscription = subscriber.subscription
        subscription.deliver(b"good", b"failed", b"behind", partition=0)
        assert handler.wait_calls(2)
        is_drained = subscription.revoke(0)
        clock.advance(60.0)
        subscription.deliver(b"other", partition=1)
        assert subscription.wait_committed(1, partition=1)
        here = handler.payloads
        subscription.assign(0)
        assert subscription.wait_committed(3, partition=0)

    assert is_drained
    assert here == [b"good", b"failed", b"other"]
    assert handler.payloads[3:] == [b"failed", b"behind"]


@pytest.fixture
def eager_switching():
    """Let threads switch at every occasion, so that a race shows within a thousand turns."""
    earlier = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(earlier)


@pytest.mark.slow
@pytest.mark.usefixtures("eager_switching")
def test_revokes_while_messages_wait_for_their_redelivery_do_not_kill_the_handler():
    """Partitions come and go again and again while everything fails; the handler lives, and in the end all is handled."""
    is_failing = True

    def fail(message):
        if is_failing:
            raise ValueError("down")

    subscriber, router = FakeSubscriber(8), Router(RouterConfig(nack_resend_delay=0.0))
    router.add_consumer_handler("h", "t", subscriber, fail)

    with running(router):
        subscription = subscriber.subscription
        for number in range(8):
            subscription.deliver(b"x", b"y", partition=number)
        for turn in range(1500):
            number = turn % 8
            subscription.revoke(number)
            subscription.assign(number)
        is_failing = False
        assert all(subscription.wait_committed(2, partition=number) for number in range(8))


def test_handler_whose_intake_stands_still_lets_a_partition_go_at_once():
    """While a poison record cannot be written no chain runs, also right after a redelivery: nobody is waited for."""
    clock, publisher = ManualClock(), RecordingPublisher()
    publisher.break_down(OSError("down"))
    failing = {b"bad": 2, b"slow": 1}

    def handle(message):
        failing[message.payload] -= 1
        if failing[message.payload] >= 0:
            raise ValueError("no")

    subscriber = FakeSubscriber(2)
    router = Router(RouterConfig(nack_resend_delay=5.0, max_redeliveries=1), clock=clock)
    router.add_consumer_handler("h", "t", subscriber, handle, poison=PoisonTopic(publisher, "dlq"))

    with running(router):
        subscription = subscriber.subscription
        subscription.deliver(b"bad", partition=1)
        assert eventually(lambda: failing[b"bad"] == 1)
        clock.advance(3.0)
        subscription.deliver(b"slow", partition=0)
        assert eventually(lambda: failing[b"slow"] == 0)
        clock.advance(2.0)
        assert publisher.wait_attempts(1)
        assert eventually(lambda: not subscription.is_being_read)
        clock.advance(3.0)
        assert subscription.wait_committed(1, partition=0)
        thread, outcome = revoking(subscription, 0, timeout=60.0)
        thread.join(10)
        publisher.recover()

    assert outcome == [True]
