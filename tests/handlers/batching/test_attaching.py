"""Two lines for a topic of one's own: a batcher of any `process_batch` on any router and subscriber, in runs where it can."""

import threading
from contextlib import contextmanager
from types import SimpleNamespace

import msgspec
import pytest

from millstream.handlers.batching import BatchConfig, BatchResult, MessageBatcher
from millstream.middleware import FailurePolicy
from millstream.router import DROP, ConfigurationError, PermanentError, PoisonTopic, Router, RouterConfig, StateError
from millstream.router.testing import FakeSubscriber, RecordingPublisher, eventually, running
from tests.handlers.batching.batching_aids import RecordingProcess

WAYS = pytest.mark.parametrize("in_runs", [True, False], ids=["in runs", "one by one"])
FAST = RouterConfig(nack_resend_delay=0.001)
SETS_ASIDE = (FailurePolicy(retry=None),)
decode_number = msgspec.json.Decoder(int).decode


def make_batcher(process, **config):
    """A batcher whose batches are small, and soon done."""
    return MessageBatcher(BatchConfig(**{"flush_interval": 0.01, "retry_interval": 0.001, **config}), process)


@contextmanager
def attached(process, *, in_runs=True, middleware=SETS_ASIDE, **options):
    """A router that runs a batcher of *process*, and what stands around it."""
    batcher, router = make_batcher(process), Router(FAST)
    subscriber, publisher = FakeSubscriber(in_runs=in_runs), RecordingPublisher()
    router.add_middleware(*middleware)
    handler = batcher.attach(router, "n", "numbers", subscriber, poison=PoisonTopic(publisher, "dlq"), **options)
    with running(router):
        yield SimpleNamespace(
            batcher=batcher,
            handler=handler,
            deliver=lambda *payloads: subscriber.subscription.deliver(*payloads),
            wait=lambda count: subscriber.subscription.wait_committed(count),
            dlq=lambda: [message.payload for message in publisher.messages("dlq")],
            reasons=lambda: [message.metadata["reason_poisoned"] for message in publisher.messages("dlq")],
        )


@WAYS
def test_a_topic_is_batched_and_committed_by_two_lines(in_runs):
    """The item of a message is its payload; nobody starts the batcher."""
    process = RecordingProcess()
    with attached(process, in_runs=in_runs) as it:
        it.deliver(b"1", b"2", b"3")

        assert it.wait(3)
        assert [each.item for batch in process.batches for each in batch] == [b"1", b"2", b"3"]
        assert ("in runs" in it.handler.describe()) is in_runs
    assert it.batcher.error is None


@WAYS
def test_the_item_is_what_decode_makes_of_the_payload(in_runs):
    """Of each message."""
    process = RecordingProcess()
    with attached(process, in_runs=in_runs, decode=decode_number) as it:
        it.deliver(b"1", b"2")

        assert it.wait(2)
        assert [item for batch in process.batches for item in batch.rows.items()] == [1, 2]


@WAYS
def test_a_message_that_cannot_be_decoded_is_set_aside_and_its_neighbours_are_not(in_runs):
    """With its reason, at once, whatever the error is: no attempt makes another payload of it."""
    process = RecordingProcess()
    with attached(process, in_runs=in_runs, decode=decode_number) as it:
        it.deliver(b"1", b"odd", b"3")

        assert it.wait(3)
        assert [item for batch in process.batches for item in batch.rows.items()] == [1, 3]
        assert it.dlq() == [b"odd"]
        assert it.reasons()[0].startswith("it cannot be decoded: JSON is malformed")


def test_the_reason_of_a_decoder_that_knows_one_is_kept():
    """A `PermanentError` speaks for itself."""

    def decode(payload):
        raise PermanentError("no order")

    with attached(RecordingProcess(), decode=decode) as it:
        it.deliver(b"1")

        assert it.wait(1)
        assert it.reasons() == ["no order"]


def test_an_error_of_the_surroundings_sets_nothing_aside():
    """A decoder that cannot look something up now is asked again, as a handler would be."""
    asked = []

    def decode(payload):
        asked.append(payload)
        if len(asked) < 4:
            raise ConnectionError("away")
        return payload

    process = RecordingProcess()
    with attached(process, middleware=(), decode=decode) as it:
        it.deliver(b"1")

        assert it.wait(1)
        assert it.dlq() == []
    assert [item for batch in process.batches for item in batch.rows.items()] == [b"1"]


def test_a_mistake_in_a_decoder_is_told_in_full(log_lines):
    """As one in a handler; what says by its type that the payload is wrong is not."""
    with attached(RecordingProcess(), decode=lambda payload: {}["id"] if payload == b"1" else int(payload)) as it:
        it.deliver(b"x", b"1")

        assert it.wait(2)
    assert it.reasons()[1] == "it cannot be decoded: KeyError: 'id'"
    told = [line for line in log_lines if "failed in its own code" in line]
    assert len(told) == 1
    assert "KeyError: 'id'" in told[0]


@WAYS
def test_what_a_batch_fails_goes_to_the_sink_and_the_rest_is_done(in_runs):
    """An outcome for each message, by its place."""
    process = RecordingProcess(lambda batch: BatchResult.all_but({1: PermanentError("odd")}, batch))
    with attached(process, in_runs=in_runs) as it:
        it.deliver(b"1", b"2", b"3")

        assert it.wait(3)
        assert (it.dlq(), it.reasons()) == ([b"2"], ["odd"])


def seeing(next_handler):
    """A middleware of a user's own."""
    return next_handler


def test_a_middleware_that_sees_each_message_has_them_one_by_one():
    """Nothing goes past it."""
    process = RecordingProcess()
    with attached(process, middleware=[seeing], decode=decode_number) as it:
        it.deliver(b"1", b"2")

        assert it.wait(2)
        assert it.handler.describe().endswith("middleware seeing sees each message")
        assert [item for batch in process.batches for item in batch.rows.items()] == [1, 2]


def test_a_batcher_takes_several_topics():
    """Each with a handler, and all in the same batches."""
    process, router, subscriber = RecordingProcess(), Router(), FakeSubscriber()
    batcher = make_batcher(process)
    for topic in ("a", "b"):
        batcher.attach(router, topic, topic, subscriber, poison=DROP)
    with running(router):
        for subscription in subscriber.subscriptions:
            subscription.deliver(b"1")

        assert all(subscription.wait_committed(1) for subscription in subscriber.subscriptions)
    assert sum(process.sizes) == 2
    assert router.workers == [batcher]


class Prepared(RecordingProcess):
    """A `process_batch` that says at the start whether it can work."""

    def __init__(self, error=None):
        super().__init__()
        self.error = error
        self.calls = 0

    def prepare(self):
        """Say so."""
        self.calls += 1
        if self.error is not None:
            raise self.error


def test_a_process_batch_that_can_never_work_ends_the_start():
    """Before anything is consumed."""
    router, subscriber = Router(), FakeSubscriber()
    make_batcher(Prepared(ConfigurationError("no such table"))).attach(router, "n", "numbers", subscriber, poison=DROP)

    with pytest.raises(ConfigurationError, match="no such table"):
        router.start()
    assert subscriber.subscriptions == []


def test_a_process_batch_is_prepared_once():
    """However many topics it has, and whoever starts the batcher again."""
    process, router = Prepared(), Router()
    batcher = make_batcher(process)
    for topic in ("a", "b"):
        batcher.attach(router, topic, topic, FakeSubscriber(), poison=DROP)
    with running(router):
        batcher.start()

    assert process.calls == 1


async def decode_later(payload):
    """A decoder that answers too late."""


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ([Router, "n", "numbers", FakeSubscriber()], {}, "router is the class Router"),
        (["n", "numbers", FakeSubscriber(), Router()], {}, "router is 'n'"),
        ([Router(), "n", "numbers", FakeSubscriber()], {"decode": decode_later}, "decode is an async function"),
        ([Router(), "n", "numbers", FakeSubscriber()], {"decode": 7}, "decode is 7"),
        ([Router(), "n", "numbers", FakeSubscriber], {}, "subscriber is the class FakeSubscriber"),
    ],
)
def test_what_can_never_work_is_told_at_once(arguments, options, said):
    """With what to pass."""
    with pytest.raises(ConfigurationError, match=said):
        make_batcher(RecordingProcess()).attach(*arguments, poison=DROP, **options)


def test_a_router_that_runs_takes_no_topic_any_more():
    """As with any handler."""
    router, ended = Router(), threading.Event()
    router.add_consumer_handler("other", "other", FakeSubscriber(), lambda message: ended.set())
    with running(router):
        assert eventually(lambda: router.is_running)
        with pytest.raises(StateError):
            make_batcher(RecordingProcess()).attach(router, "n", "numbers", FakeSubscriber(), poison=DROP)


def test_what_becomes_of_bad_messages_has_to_be_chosen():
    """No default loses them, or stands still at the first."""
    with pytest.raises(TypeError, match="'poison'"):
        make_batcher(RecordingProcess()).attach(Router(), "n", "numbers", FakeSubscriber())
