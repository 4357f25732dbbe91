"""Closing a router: in one order, waiting for what runs, losing and repeating nothing."""

import threading

import pytest

from millstream.router import (
    HaltedError,
    InMemoryPubSub,
    Message,
    PoisonTopic,
    Router,
    RouterConfig,
    UndrainedError,
)
from millstream.router.testing import (
    FakeSubscriber,
    FakeWorker,
    RecordingHandler,
    RecordingPublisher,
    eventually,
    running,
)

pytestmark = pytest.mark.slow  # routers that close in their time: tenths of a second each


def consumer(handler, **config):
    """Return a router with one consumer handler on a fake topic, and its subscriber."""
    subscriber, router = FakeSubscriber(), Router(RouterConfig(**config))
    router.add_consumer_handler("h", "t", subscriber, handler)
    return router, subscriber


class Gate:
    """A handler that waits in its first message until the test lets it go."""

    def __init__(self):
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.handled = []

    def __call__(self, message):
        """Wait, then note the message."""
        self.entered.set()
        self.go_on.wait(10)
        self.handled.append(message.payload)


def test_everything_ends_in_the_order_that_loses_nothing():
    """Handlers finish, then workers drain, then poison records are written, then commits, then subscribers, then publishers."""
    journal, gate, owner = [], Gate(), object()
    subscriber = FakeSubscriber(record=journal.append)
    publisher = RecordingPublisher(record=journal.append)
    messages = []

    def drain(deadline):
        messages[0].fail(ValueError("bad row"), owner)
        return True

    def handle(message):
        message.hold(owner)
        gate(message)
        journal.append("handled")
        return [Message(b"out")]

    router = Router()
    router.add_worker(FakeWorker(on_drain=drain, record=journal.append))
    router.add_handler("h", "t", subscriber, "out", publisher, handle, poison=PoisonTopic(publisher, "dlq"))
    router.start()
    messages += subscriber.subscription.deliver(b"x")
    assert gate.entered.wait(10)
    router.request_close()
    assert eventually(lambda: not router.is_running)
    gate.go_on.set()
    router.close()

    assert journal == [
        "start worker",
        "handled",
        "publish out",
        "drain worker",
        "publish dlq",
        "close subscription t",
        "close publisher",
    ]
    assert subscriber.subscription.commits[-1][1] == 1


def test_close_waits_for_a_running_handler_and_commits_its_message():
    """What is in the handler is finished and never delivered again; what was not started is left for the next one."""
    gate = Gate()
    router, subscriber = consumer(gate)
    router.start()
    subscriber.subscription.deliver(b"running", b"not started")
    assert gate.entered.wait(10)
    closing = threading.Thread(target=router.close)
    closing.start()
    assert eventually(lambda: not router.is_running)
    while_running = router.is_closed
    gate.go_on.set()
    closing.join(10)
    (again,) = subscriber.subscribe("t").receive(10, 0.0)

    assert while_running is False
    assert router.is_closed
    assert gate.handled == [b"running"]
    assert again.payload == b"not started"


def test_finished_messages_are_never_delivered_again_after_a_close():
    """Whatever the moment of the close: handled and committed are the same set."""
    handler = RecordingHandler()
    router, subscriber = consumer(handler)
    router.start()
    subscriber.subscription.deliver(*[b"%d" % number for number in range(20_000)])
    assert handler.wait_calls(1)

    router.close()

    assert subscriber.subscription.committed() == len(handler.payloads)


def test_retry_wait_ends_at_once():
    """A message that waits for its redelivery does not hold up the close, and stays uncommitted."""
    handler = RecordingHandler([ValueError("no")])
    router, subscriber = consumer(handler, nack_resend_delay=3600.0)

    router.start()
    subscriber.subscription.deliver(b"x")
    assert handler.wait_calls(1)
    router.close()

    assert subscriber.subscription.committed() == 0


def test_handler_that_does_not_finish_is_named():
    """After `close_timeout` the close gives up on it and says so; its late end commits nothing."""
    gate = Gate()
    router, subscriber = consumer(gate, close_timeout=0.1)
    router.start()
    subscription = subscriber.subscription
    (message,) = subscription.deliver(b"x")
    assert gate.entered.wait(10)

    with pytest.raises(UndrainedError, match=r"0\.1 s: h;") as caught:
        router.close()
    gate.go_on.set()

    assert caught.value.still_running == ["h"]
    assert router.is_closed
    assert eventually(lambda: message.is_settled)
    assert subscription.committed() == 0


def test_context_is_cancelled_last():
    """Whoever works on a message sees its context as good until everything else has ended."""
    owner, contexts, seen = object(), [], []

    def hold(message):
        message.hold(owner)
        contexts.append(message.context)

    router, subscriber = consumer(hold)
    router.add_worker(FakeWorker(on_drain=lambda deadline: seen.append(contexts[0].is_cancelled) is None))

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert eventually(lambda: contexts)

    assert seen == [False]
    assert contexts[0].is_cancelled


def test_worker_that_is_not_done_is_named():
    """The names of all that was left come together."""
    router = Router(RouterConfig(close_timeout=0.1))
    router.add_worker(FakeWorker("regular", on_drain=lambda deadline: False))
    router.add_worker(FakeWorker("done"))
    router.add_worker(FakeWorker("lazy", on_drain=lambda deadline: False))
    router.start()

    with pytest.raises(UndrainedError) as caught:
        router.close()

    assert caught.value.still_running == ["regular", "lazy"]


def test_worker_that_died_is_not_said_to_be_still_running(log_lines):
    """What it died of is the error of the router; no time-out has passed."""
    router = Router(RouterConfig(close_timeout=30.0))
    died = FakeWorker("died", on_drain=lambda deadline: False)
    router.add_worker(died)
    router.start()
    died.die(HaltedError("enough"))

    with pytest.raises(HaltedError, match="enough"):
        router.close()

    assert not [line for line in log_lines if "still running" in line]


class Hindered(FakeWorker):
    """A worker that says what keeps it."""

    last_error = "StoreUnavailable: {host} is away, 3 s ago"


def test_what_hinders_the_close_names_its_last_error(log_lines):
    """In the error and in the log; a worker that knows of none, or cannot tell, is only named."""
    router = Router(RouterConfig(close_timeout=0.1))
    router.add_worker(Hindered("regular", on_drain=lambda deadline: False))
    router.add_worker(FakeWorker("lazy", on_drain=lambda deadline: False))
    router.start()

    text = r"0\.1 s: regular \(last error: StoreUnavailable: \{host\} is away, 3 s ago\), lazy; it will"
    with pytest.raises(UndrainedError, match=text) as caught:
        router.close()
    assert caught.value.last_errors == {"regular": Hindered.last_error}
    assert [line for line in log_lines if "still running" in line] == [
        f"WARNING still running at the end of the close time-out: regular, its last error: {Hindered.last_error}",
        "WARNING still running at the end of the close time-out: lazy, its last error: none",
    ]


def test_handler_that_hinders_the_close_names_its_last_error():
    """What it failed with before, and how long ago; a text, so that no message is kept alive by it."""
    gate = Gate()

    def handle(message):
        if message.partition == 0:
            raise ValueError("bad order")
        gate(message)

    subscriber, router = FakeSubscriber(2), Router(RouterConfig(close_timeout=0.1, nack_resend_delay=3600.0))
    router.add_consumer_handler("h", "t", subscriber, handle)
    router.start()
    subscriber.subscription.deliver(b"x")
    assert eventually(lambda: router.handlers["h"].failure is not None)
    subscriber.subscription.deliver(b"y", partition=1)
    assert gate.entered.wait(10)

    with pytest.raises(UndrainedError, match=r"h \(last error: ValueError: bad order, \d+ s ago\)"):
        router.close()
    gate.go_on.set()


def test_worker_that_raises_in_its_drain_keeps_nobody_from_draining_and_committing():
    """The error comes out of the close; the other worker drains and the subscription commits."""

    def fail(deadline):
        raise OSError("disk")

    handler, other = RecordingHandler(), []
    router, subscriber = consumer(handler)
    router.add_worker(FakeWorker("bad", on_drain=fail))
    router.add_worker(FakeWorker("good", on_drain=lambda deadline: other.append(deadline) is None))
    router.start()
    subscriber.subscription.deliver(b"x")
    assert handler.wait_calls(1)

    with pytest.raises(OSError, match="disk"):
        router.close()

    assert (router.is_closed, len(other), subscriber.subscription.committed()) == (True, 1, 1)


def test_subscription_that_cannot_commit_does_not_hang_the_close():
    """The error comes out of the close, the other subscriptions still commit, and all contexts end."""

    class Broken(FakeSubscriber):
        def subscribe(self, topic, listener=None):
            subscription = super().subscribe(topic, listener)
            subscription.close = self.fail
            return subscription

        def fail(self):
            raise OSError("commit refused")

    handler, bad, good = RecordingHandler(), Broken(), FakeSubscriber()
    router = Router()
    router.add_consumer_handler("bad", "t", bad, handler)
    router.add_consumer_handler("good", "t", good, handler)
    router.start()
    good.subscription.deliver(b"x")
    (stuck,) = bad.subscription.deliver(b"x")
    assert handler.wait_calls(2)

    with pytest.raises(OSError, match="commit refused"):
        router.close()

    assert good.subscription.is_closed
    assert stuck.context.is_cancelled


def test_shared_publisher_is_closed_once_and_last():
    """Two handlers and a poison topic share one publisher; handlers may publish until the very end."""
    journal = []
    publisher = RecordingPublisher(record=journal.append)
    one, other = FakeSubscriber(record=journal.append), FakeSubscriber(record=journal.append)
    router = Router()
    router.add_handler("one", "a", one, "out", publisher, RecordingHandler(), poison=PoisonTopic(publisher, "dlq"))
    router.add_handler("other", "b", other, "out", publisher, RecordingHandler())

    with running(router):
        pass

    assert journal.count("close publisher") == 1
    assert journal[-1] == "close publisher"


def test_publisher_of_a_poison_topic_is_closed():
    """A publisher that only the poison topic has is the router's to close as well."""
    publisher, router = RecordingPublisher(), Router()
    router.add_consumer_handler("h", "t", FakeSubscriber(), RecordingHandler(), poison=PoisonTopic(publisher, "dlq"))

    with running(router):
        pass

    assert publisher.close_count == 1


def test_neighbour_that_cannot_be_closed_keeps_nobody_open():
    """At the very end an error is only logged: there is nothing left to save."""

    class Stubborn(RecordingPublisher):
        def close(self):
            raise OSError("will not")

    publisher, router = RecordingPublisher(), Router()
    router.add_handler("one", "a", FakeSubscriber(), "out", Stubborn(), RecordingHandler())
    router.add_handler("other", "b", FakeSubscriber(), "out", publisher, RecordingHandler())

    with running(router):
        pass

    assert publisher.close_count == 1


def test_close_timeout_of_zero_still_commits_what_is_done():
    """Not waiting is not the same as forgetting."""
    gate = Gate()
    router, subscriber = consumer(
        lambda message: gate(message) if message.payload == b"slow" else None, close_timeout=0.0
    )
    router.start()
    subscriber.subscription.deliver(b"x", b"slow")
    assert gate.entered.wait(60)

    with pytest.raises(UndrainedError):
        router.close()
    gate.go_on.set()

    assert subscriber.subscription.committed() == 1


def test_handlers_of_one_router_that_feed_each_other_close_in_time():
    """A handler that waits for room in a topic whose reader has stopped is let go."""
    pubsub = InMemoryPubSub()
    gate = Gate()
    router = Router(RouterConfig(close_timeout=10.0))
    router.add_handler("one", "in", pubsub, "out", pubsub, lambda m: [Message(b"x") for _ in range(15_000)])
    router.add_consumer_handler("other", "out", pubsub, gate)
    router.start()
    pubsub.publish("in", Message(b"go"))
    assert gate.entered.wait(10)
    router.request_close()
    assert eventually(lambda: not router.is_running)
    gate.go_on.set()

    router.close()

    assert router.is_closed


def test_order_survives_a_wait_that_the_close_ends():
    """What stands behind a message whose wait was called off is not handled any more: it could not be committed."""
    pubsub, gate, handled, waiting = InMemoryPubSub(), Gate(), [], threading.Event()

    def wait_at_first(message):
        if message.payload == b"first":
            waiting.set()
            message.context.wait(3600.0)
        handled.append(message.payload)

    router = Router()
    router.add_handler("upstream", "in", pubsub, "out", pubsub, gate)
    router.add_consumer_handler("downstream", "out", pubsub, wait_at_first)
    router.start()
    pubsub.publish("out", Message(b"first"), Message(b"second"))
    pubsub.publish("in", Message(b"x"))
    assert waiting.wait(10)
    assert gate.entered.wait(10)
    router.request_close()
    assert eventually(lambda: not router.is_running)
    gate.go_on.set()
    router.close()

    assert handled == []
