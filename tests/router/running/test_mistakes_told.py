"""A user's own bug shows its traceback once, whatever becomes of its messages; with each failure comes one line at most."""

import pytest

from millstream.handlers.batching import BatchConfig, BatchMessage, BatchResult, MessageBatcher
from millstream.middleware import FailurePolicy, PoisonQueue, Retry
from millstream.router import HaltedError, PermanentError, PoisonTopic, Router, RouterConfig
from millstream.router.poison import sink_worker
from millstream.router.testing import FakeSubscriber, RecordingHandler, RecordingPublisher, eventually, running

AT_ONCE = RouterConfig(nack_resend_delay=0.0, max_nack_resend_delay=0.0, max_redeliveries=5)
QUICK = Retry(initial_interval=0.0)
FAILURES = 4
"""How often the handler fails; each message of the first two cases gets through after that."""


class Mistaken:
    """A handler with a typing error that only some of its calls meet."""

    def __init__(self, failures):
        self.calls = 0
        self._failures = failures

    def __call__(self, message):
        """Add what cannot be added."""
        self.calls += 1
        if self.calls <= self._failures:
            return message.payload + 1
        return None


def tracebacks(log_lines):
    """Return how many tracebacks of the handler were logged."""
    return sum(line.count("Traceback (most recent call last)") for line in log_lines)


MENDED = [pytest.param([], id="redelivered"), pytest.param([Retry(initial_interval=0.0, max_retries=9)], id="retried")]


@pytest.mark.parametrize("middleware", MENDED)
def test_mistake_that_passes_is_shown_once(middleware, log_lines):
    """Delivered again or tried again on the spot, the same error in the same place is told in full the first time only."""
    handler, subscriber, router = Mistaken(FAILURES), FakeSubscriber(), Router(AT_ONCE)
    router.add_consumer_handler("orders", "t", subscriber, handler).add_middleware(*middleware)
    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert handler.calls == FAILURES + 1
    assert tracebacks(log_lines) == 1
    assert "handler 'orders' failed in its own code, told in full this once: TypeError" in "\n".join(log_lines)
    assert all("TypeError" in line for line in log_lines if line.startswith(("WARNING", "ERROR")))


POISONED = [
    pytest.param([], id="after its redeliveries"),
    pytest.param([PoisonQueue()], id="at once"),
    pytest.param([FailurePolicy(retry=QUICK)], id="after its retries"),
]


@pytest.mark.parametrize("middleware", POISONED)
def test_mistake_that_is_poisoned_is_shown_once(middleware, log_lines):
    """With a sink it would be never: the record has the reason, and no traceback."""
    publisher, subscriber, router = RecordingPublisher(), FakeSubscriber(), Router(AT_ONCE)
    handler = router.add_consumer_handler("h", "t", subscriber, Mistaken(99), poison=PoisonTopic(publisher, "dlq"))
    handler.add_middleware(*middleware)
    with running(router):
        subscriber.subscription.deliver(b"x", b"y", b"z")
        assert subscriber.subscription.wait_committed(3)

    assert len(publisher.messages("dlq")) == 3
    assert tracebacks(log_lines) == 1


def test_mistake_that_halts_is_shown_once(log_lines):
    """The error that stops the router is one line; where the mistake is, the log says."""
    subscriber, router = FakeSubscriber(), Router(AT_ONCE)
    router.add_consumer_handler("h", "t", subscriber, Mistaken(99), poison="none").add_middleware(PoisonQueue())
    router.start()
    subscriber.subscription.deliver(b"x")

    with pytest.raises(HaltedError):
        router.wait_closed()
    assert tracebacks(log_lines) == 1


def test_each_handler_tells_its_own(log_lines):
    """The same function in two handlers fails in both."""
    subscribers, router = [FakeSubscriber(), FakeSubscriber()], Router(AT_ONCE)
    for number, subscriber in enumerate(subscribers):
        router.add_consumer_handler(f"h{number}", f"t{number}", subscriber, Mistaken(2))
    with running(router):
        for subscriber in subscribers:
            subscriber.subscription.deliver(b"x")
        assert all(subscriber.subscription.wait_committed(1) for subscriber in subscribers)

    assert tracebacks(log_lines) == 2


class MistakenWriter:
    """A poison sink of a user's own that fails at first."""

    def __init__(self):
        self.written = 0
        self._texts = [7, 7]

    def write(self, messages):
        """Add what cannot be added, twice."""
        for text in self._texts[:1]:
            self._texts.pop()
            raise TypeError(text)
        self.written += len(messages)

    def close(self):
        """Nothing is held."""


def test_mistake_in_a_poison_sink_is_shown_once(monkeypatch, log_lines):
    """Beside the one line that says that intake stops."""
    monkeypatch.setattr(sink_worker, "RETRY_SECONDS", 0.001)
    writer, subscriber, router = MistakenWriter(), FakeSubscriber(), Router(AT_ONCE)
    router.add_consumer_handler("h", "t", subscriber, RecordingHandler([PermanentError("no")]), poison=writer)
    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    told = [line.splitlines()[0] for line in log_lines if line.startswith("ERROR")]
    assert told == [
        "ERROR poison-h failed in its own code, told in full this once: TypeError: 7",
        "ERROR poison record not written, intake stops: TypeError: 7",
    ]
    assert tracebacks(log_lines) == writer.written == 1


class Batches:
    """A `process_batch` that fails for a while, then refuses one message with an error of its own line function."""

    def __init__(self, failures):
        self._failures = failures

    def __call__(self, batch):
        """Fail, or refuse the first message."""
        if self._failures:
            self._failures -= 1
            raise KeyError("column")
        try:
            line_of(batch[0])
        except TypeError as error:
            return BatchResult.all_but({0: error}, batch)


def line_of(each):
    """Return what cannot be made of a message."""
    return each.message.payload + 1


def test_mistake_in_process_batch_and_in_a_line_is_shown_once(log_lines):
    """By the batcher, whose name stands in the line: once for the attempts on a batch, once for the messages refused."""
    publisher, subscriber, router = RecordingPublisher(), FakeSubscriber(), Router(AT_ONCE)
    batcher = MessageBatcher(BatchConfig(batch_size=1, retry_interval=0.001), Batches(2), name="rows")
    router.add_worker(batcher)
    add = lambda message: batcher.add(BatchMessage(message, None))  # noqa: E731
    router.add_consumer_handler("h", "t", subscriber, add, poison=PoisonTopic(publisher, "dlq"))
    with running(router):
        subscriber.subscription.deliver(b"x", b"y", b"z")
        assert eventually(lambda: len(publisher.messages("dlq")) == 3)

    told = [line for line in log_lines if "rows failed in its own code" in line]
    assert ["KeyError: 'column'" in told[0], "TypeError" in told[1]] == [True, True]
    assert tracebacks(log_lines) == len(told) == 2
