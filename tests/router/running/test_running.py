"""`running(router)`: a test sees what a handler has failed with."""

import re
import sys
import threading

import pytest

from millstream.handlers import BatchConfig, BatchMessage, MessageBatcher
from millstream.middleware import PoisonQueue
from millstream.router import DROP, HALT, HaltedError, PermanentError, PoisonTopic, Router, RouterConfig
from millstream.router.testing import (
    FakeSubscriber,
    FakeWorker,
    RecordingHandler,
    RecordingPublisher,
    eventually,
    running,
)

LATER, AT_ONCE = RouterConfig(nack_resend_delay=3600.0), RouterConfig(nack_resend_delay=0.0)


def consumer(handler, config=LATER, **options):
    """Return a router with one consumer handler on a fake topic, and its subscriber."""
    subscriber, router = FakeSubscriber(), Router(config)
    router.add_consumer_handler("orders", "t", subscriber, handler, **options)
    return router, subscriber


def run_until_it_fails(router, subscriber, error=None):
    """Deliver a message on which the handler fails, in a block that ends once that is known: with *error*, if there is one."""
    with running(router):
        subscriber.subscription.deliver(b"x")
        assert eventually(lambda: router.handlers["orders"].failure is not None or router.is_closed)
        if error is not None:
            raise error


def test_block_raises_what_a_handler_failed_with():
    """The very error, though the block itself has found nothing wrong."""
    mistake = TypeError("not an order")
    router, subscriber = consumer(RecordingHandler([mistake]))

    with pytest.raises(TypeError) as caught:
        run_until_it_fails(router, subscriber)
    assert caught.value is mistake
    assert router.is_closed


def test_block_that_fails_by_itself_says_what_a_handler_failed_with():
    """Its own error passes, with a note: nothing arrived, and that is why."""
    router, subscriber = consumer(RecordingHandler([TypeError("not an order")]))

    with pytest.raises(AssertionError, match="nothing arrived") as caught:
        run_until_it_fails(router, subscriber, AssertionError("nothing arrived"))
    assert caught.value.__notes__ == ["handler 'orders' has failed with TypeError: not an order"]


def notes_of(router, subscriber, condition=lambda: False):
    """Return the notes of a block that delivers a message and fails, once *condition* holds or the router has closed."""
    try:
        with running(router):
            subscriber.subscription.deliver(b"x")
            assert not eventually(lambda: router.is_closed or condition())
    except AssertionError as error:
        return error.__notes__
    raise AssertionError("nothing was to be waited for")


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (RecordingHandler([PermanentError("not an order")]), "handler 'orders' halts at <Message .*: not an order"),
        (lambda message: "thanks", "handler 'orders' returned"),
    ],
    ids=["halted", "wrong return value"],
)
def test_block_that_fails_by_itself_says_what_has_stopped_the_router(handler, told):
    """It had waited for something, in vain: that is all its own error says."""
    router, subscriber = consumer(handler, poison=HALT)

    [note] = notes_of(router, subscriber)

    assert re.match(f"the router has ended with {told}", note)


def test_block_that_fails_by_itself_says_what_was_set_aside():
    """The test expected an answer; what was dropped is committed and counted, and nothing else speaks of it."""
    router, subscriber = consumer(RecordingHandler([PermanentError("not an order")]), poison=DROP)

    notes = notes_of(router, subscriber, lambda: router.handlers["orders"].poisoned)

    assert notes == ["handler 'orders' has poisoned 1, the last for not an order"]


def test_block_that_fails_by_itself_says_what_keeps_a_batcher_from_its_work():
    """A bug in process_batch: its handler has returned long ago."""

    def process(batch):
        raise KeyError("price")

    batcher = MessageBatcher(BatchConfig(batch_size=1, retry_interval=3600.0), process, name="prices")
    config = RouterConfig(close_timeout=0.05)
    router, subscriber = consumer(lambda message: batcher.add(BatchMessage(message, b"")), config)
    router.add_worker(batcher)

    notes = notes_of(router, subscriber, lambda: router.last_errors)

    assert notes[0].startswith("worker 'prices' has failed with KeyError: 'price', 0 s ago")
    assert "prices (last error: KeyError: 'price'" in notes[1]


def test_block_that_fails_by_itself_names_a_worker_that_died_and_does_not_wait_for_a_close_that_is_stuck(monkeypatch):
    """The test is to end; whoever reads its output learns both."""
    monkeypatch.setattr(sys.modules[running.__module__], "CLOSE_SECONDS", 0.0)
    go_on = threading.Event()
    worker = FakeWorker("clock", on_drain=lambda deadline: go_on.wait(10.0))
    router, subscriber = consumer(RecordingHandler([ValueError("bad")]))
    router.add_worker(worker)

    notes = notes_of(
        router, subscriber, lambda: router.handlers["orders"].failure and not worker.die(OSError("stopped"))
    )
    go_on.set()
    with pytest.raises(OSError, match="stopped"):
        router.wait_closed(10.0)

    assert notes[1:] == ["worker 'clock' has failed with OSError: stopped", "the router has not closed within 0 s"]


def test_router_names_a_sink_that_cannot_write_until_it_can():
    """`last_errors`: intake has stopped, and that is why."""
    publisher = RecordingPublisher([ConnectionError("away")])
    router, subscriber = consumer(RecordingHandler([PermanentError("bad")]), poison=PoisonTopic(publisher, "dlq"))

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert eventually(lambda: router.last_errors)
        told = router.last_errors
        router.handlers["orders"].stop()

    assert told["poison-orders"].startswith("ConnectionError: away, ")
    assert router.last_errors == {}


def test_what_a_redelivery_has_mended_is_no_failure():
    """Nothing waits any more."""
    router, subscriber = consumer(RecordingHandler([ValueError("once")]), AT_ONCE)

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert router.handlers["orders"].failure is None


def test_what_a_sink_has_taken_is_no_failure():
    """The test looks at the record."""
    publisher = RecordingPublisher()
    router, subscriber = consumer(RecordingHandler([ValueError("bad")]), poison=PoisonTopic(publisher, "dlq"))
    router.add_middleware(PoisonQueue())

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert len(publisher.messages("dlq")) == 1


def test_nack_is_no_failure():
    """The handler has asked for the message again."""
    handler = RecordingHandler(answer=lambda message: message.nack() and None)
    router, subscriber = consumer(handler)

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert handler.wait_calls(1)


def test_block_raises_what_stopped_the_router():
    """A halt, and not the error behind it."""
    router, subscriber = consumer(RecordingHandler([ValueError("bad")]), poison="none")
    router.add_middleware(PoisonQueue())

    with pytest.raises(HaltedError, match="bad"):
        run_until_it_fails(router, subscriber)
