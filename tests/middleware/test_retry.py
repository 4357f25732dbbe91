"""Trying a failed message again."""

import contextlib
import gc
import random
import threading

import pytest

from millstream.middleware import Retry
from millstream.router import (
    Cancelled,
    ConfigurationError,
    HaltedError,
    InMemoryPubSub,
    Message,
    PermanentError,
    PoisonTopic,
    Router,
    TransientError,
)
from millstream.router.testing import FakeSubscriber, RecordingHandler, RecordingPublisher, running
from tests.middleware.middleware_aids import (
    BadRow,
    FailingHandler,
    SteppingClock,
    close_router,
    make_message,
    revoke_partition,
)


def failing(times, error=TransientError):
    """Return a handler that fails that often, then returns a message."""
    return RecordingHandler([error(f"attempt {number}") for number in range(1, times + 1)], answer=lambda _: ["done"])


def test_good_message_is_handled_once_without_a_context():
    """Nothing is made and nothing waited for on the way of a good message."""
    clock, handler = SteppingClock(), failing(0)
    message = make_message(clock)

    produced = Retry()(handler)(message)

    assert produced == ["done"]
    assert len(handler.messages) == 1
    assert clock.waits == []


def test_message_is_tried_again_until_it_works():
    """Two failures are waited out; what the third attempt returns is returned."""
    clock, handler = SteppingClock(), failing(2)

    produced = Retry(jitter=0)(handler)(make_message(clock))

    assert produced == ["done"]
    assert clock.waits == [1, 2]


def test_last_error_passes_on_after_the_last_retry():
    """Three retries are four attempts, and the message says so."""
    clock, handler = SteppingClock(), failing(9)
    message = make_message(clock)

    with pytest.raises(TransientError, match="attempt 4"):
        Retry(jitter=0)(handler)(message)

    assert clock.waits == [1, 2, 4]
    assert message.context.values["attempts"] == 4


def test_no_retries_means_one_attempt():
    """`max_retries=0` does not retry, unlike in Watermill 1.4."""
    clock, handler = SteppingClock(), failing(1)

    with pytest.raises(TransientError):
        Retry(max_retries=0)(handler)(make_message(clock))

    assert len(handler.messages) == 1
    assert clock.waits == []


def test_permanent_error_is_not_retried():
    """What will fail again passes at once, after however many attempts."""
    exhausted = []
    handler = RecordingHandler([TransientError("busy"), PermanentError("bad row")])
    message = make_message(SteppingClock())

    with pytest.raises(PermanentError):
        Retry(on_exhausted=lambda *told: exhausted.append(told), retry_if=lambda _: True)(handler)(message)

    assert len(handler.messages) == 2
    assert message.context.values["attempts"] == 2
    assert exhausted == []


@pytest.mark.parametrize("signal", [HaltedError("stop"), Cancelled()], ids=["halted", "cancelled"])
@pytest.mark.parametrize("before", [0, 1], ids=["at-first", "at-a-retry"])
def test_being_stopped_is_not_retried(signal, before):
    """A policy's halt and a cancellation pass at once, whatever the predicate says."""
    handler = RecordingHandler([TransientError("busy")] * before + [signal])

    with pytest.raises(type(signal)):
        Retry(retry_if=lambda _: True)(handler)(make_message(SteppingClock()))

    assert len(handler.messages) == before + 1


def test_each_attempt_starts_from_what_the_first_one_had():
    """What a middleware inside assigns, or changes in place, is undone: also for whoever has the message after the last one."""
    seen = []

    def prefix(message):
        metadata = message.metadata
        seen.append((message.payload, message.uuid, message.key, dict(metadata)))
        metadata["tenant"] = "eu-" + metadata["tenant"]
        metadata.pop("once")
        message.payload, message.uuid, message.key = b"other", "other", b"other"
        if len(seen) == 2:
            message.metadata = {}
        raise TransientError("busy")

    metadata = {"tenant": "acme", "once": "1"}
    message = Message(b"payload", uuid="1", key=b"k", metadata=metadata)
    with pytest.raises(TransientError):
        Retry(max_retries=2, initial_interval=0)(prefix)(message)

    assert seen == [(b"payload", "1", b"k", {"tenant": "acme", "once": "1"})] * 3
    assert message.metadata is metadata
    assert metadata == {"tenant": "acme", "once": "1"}


def test_attempts_without_metadata_start_without():
    """An entry of the first attempt is not there for the second."""
    seen = []

    def mark(message):
        seen.append(dict(message.metadata))
        message.metadata["seen"] = "1"
        raise TransientError("busy")

    with pytest.raises(TransientError):
        Retry(max_retries=1, initial_interval=0)(mark)(Message(b"payload"))

    assert seen == [{}, {}]


def test_predicate_chooses_what_is_retried():
    """An error that the predicate declines passes at once; the hook for exhausted retries is not told."""
    exhausted = []
    retry = Retry(retry_if=lambda e: isinstance(e, OSError), on_exhausted=lambda *told: exhausted.append(told))
    handler = RecordingHandler([OSError("reset"), ValueError("bad row")])
    message = make_message(SteppingClock())

    with pytest.raises(ValueError, match="bad row"):
        retry(handler)(message)

    assert len(handler.messages) == 2
    assert exhausted == []


def test_hook_is_told_the_delay_really_slept():
    """Attempt, error and delay are told before each wait, and hook and predicate skip no step of the backoff."""
    clock, told = SteppingClock(), []
    retry = Retry(
        on_retry=lambda attempt, error, delay: told.append((attempt, str(error), delay)),
        retry_if=lambda _: True,
        random=random.Random(7).random,
    )

    retry(failing(3))(make_message(clock))

    assert [(attempt, error) for attempt, error, _ in told] == [(1, "attempt 1"), (2, "attempt 2"), (3, "attempt 3")]
    assert [delay for _, _, delay in told] == pytest.approx(clock.waits)
    assert [0.5 * step <= delay <= 1.5 * step for step, delay in zip([1, 2, 4], clock.waits, strict=True)] == [True] * 3


def test_exhausted_hook_is_told_message_error_and_attempts():
    """It is called once, with the last error, when the retries are used up."""
    told = []
    message = make_message(SteppingClock())

    with pytest.raises(TransientError):
        Retry(max_retries=1, on_exhausted=lambda *facts: told.append(facts))(failing(2))(message)

    ((told_message, error, attempts),) = told
    assert told_message is message
    assert str(error) == "attempt 2"
    assert attempts == 2


def test_elapsed_time_counts_from_the_beginning_of_the_first_attempt():
    """Slow attempts use up the time as waits do: of 10 s, attempts of 4 s and waits of 1 s leave three."""
    clock, calls = SteppingClock(), []

    def slow(_):
        calls.append(clock.time)
        clock.time += 4
        raise TransientError

    with pytest.raises(TransientError):
        Retry(max_retries=None, multiplier=1, jitter=0, max_elapsed=10)(slow)(make_message(clock))

    assert calls == [0, 5, 10]


def test_no_attempt_begins_past_the_deadline_of_the_context():
    """Nobody waits for the result then: the handler's error passes on, without a wait that leads nowhere."""
    clock = SteppingClock()
    message = make_message(clock)
    message.context.deadline = 4.0

    with pytest.raises(TransientError, match="attempt 3"):
        Retry(jitter=0, max_elapsed=60)(failing(9))(message)

    assert clock.waits == [1, 2]


@pytest.mark.parametrize("happening", [close_router, revoke_partition])
def test_wait_ends_with_cancelled(happening):
    """Closing and a revoke end the wait; no further attempt is made, and nothing is given up."""
    clock, handler = SteppingClock(), failing(9)
    message = make_message(clock)
    clock.on_wait = lambda: happening(message)

    with pytest.raises(Cancelled):
        Retry()(handler)(message)

    assert len(handler.messages) == 1
    assert "attempts" not in message.context.values


def test_one_instance_counts_each_message_by_itself():
    """The retries of one message take none from another."""
    clock, handler = SteppingClock(), failing(9)
    chain = Retry(max_retries=1, jitter=0)(handler)

    for _ in range(2):
        with pytest.raises(TransientError):
            chain(make_message(clock))

    assert len(handler.messages) == 4
    assert clock.waits == [1, 1]


def test_given_up_error_is_freed_without_a_collection():
    """No cycle ties the error to its frames: they would keep payloads alive until a collection, which a fast consumer delays."""
    handler = FailingHandler()
    chain = Retry(max_retries=2)(handler)
    gc.disable()
    try:
        with contextlib.suppress(BadRow):
            chain(make_message(SteppingClock()))
        alive = handler.alive
    finally:
        gc.enable()

    assert alive == [False] * 3


@pytest.mark.parametrize(
    "option",
    [{"max_retries": -1}, {"max_elapsed": -1}, {"jitter": 2}, {"initial_interval": -1}],
    ids=["max_retries", "max_elapsed", "jitter", "initial_interval"],
)
def test_option_out_of_range_is_named_when_it_is_made(option):
    """Not only at the first failure."""
    with pytest.raises(ConfigurationError, match=next(iter(option))):
        Retry(**option)


def test_closing_router_neither_commits_nor_poisons_a_message_that_waits():
    """A retry sleep of an hour does not hold up the close; the message is left for the next start."""
    publisher, waiting = RecordingPublisher(), threading.Event()
    subscriber = FakeSubscriber()
    router = Router()
    router.add_middleware(Retry(initial_interval=3600, max_interval=3600, on_retry=lambda *_: waiting.set()))
    router.add_consumer_handler("h", "t", subscriber, failing(9), poison=PoisonTopic(publisher, "dlq"))

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert waiting.wait(10)

    assert subscriber.subscription.commits == []
    assert publisher.calls == []


def test_message_that_worked_at_last_is_published_once():
    """What a failed attempt returned nothing of is published from the one that worked."""
    pubsub = InMemoryPubSub()
    out = pubsub.subscribe("out")
    handler = RecordingHandler([TransientError("busy")] * 2, answer=lambda m: [Message(m.payload + b"!")])
    router = Router()
    router.add_handler("h", "in", pubsub, "out", pubsub, handler).add_middleware(Retry(initial_interval=0))

    with running(router):
        pubsub.publish("in", Message(b"x"))
        received = out.receive(10, 10.0)

    assert [message.payload for message in received] == [b"x!"]
    assert handler.payloads == [b"x"] * 3
