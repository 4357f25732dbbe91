"""A batcher that could never work is refused where it is made, and what it cannot take where it is added."""

import functools

import pytest

from millstream.handlers.batching import BatchConfig, BatchMessage, MessageBatcher
from millstream.middleware import FailurePolicy, InstantAck
from millstream.router import ConfigurationError, ExitCode, Message, PoisonTopic, Router
from millstream.router.testing import FakeSubscriber, RecordingPublisher, running
from tests.handlers.batching.batching_aids import RecordingProcess, batch_message, drain


class Store:
    """A process_batch that is a method, or an object."""

    def __call__(self, batch):
        """Do nothing."""

    def store(self, batch):
        """Do nothing."""


async def process_later(batch):
    """Do nothing that anybody awaits."""


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        pytest.param((BatchConfig(), None), "process_batch is None: pass a function that takes the batch", id="none"),
        pytest.param((BatchConfig(), []), "is a list: pass a function", id="result"),
        pytest.param((BatchConfig(), Store), r"is the class Store: pass an instance, Store\(…\)", id="class"),
        pytest.param(
            (BatchConfig(), Store.store), r"takes \(self, batch\): .* an instance", id="method of no instance"
        ),
        pytest.param((BatchConfig(), process_later), r"is an async function: .* asyncio\.run", id="async"),
        pytest.param((BatchConfig(), lambda: None), "takes no argument: pass one that takes one", id="no argument"),
        pytest.param((BatchConfig(), lambda batch, store: None), r"takes \(batch, store\)", id="two arguments"),
        pytest.param((BatchConfig, Store()), r"config is the class BatchConfig: pass BatchConfig\(…\)", id="config"),
        pytest.param(
            (Store(), BatchConfig()), r"config is a Store: .* order is \(config, process_batch\)", id="swapped"
        ),
    ],
)
def test_wrong_argument_is_refused_with_what_to_pass(arguments, what):
    """Not with the first batch, when its messages have waited in vain."""
    with pytest.raises(ConfigurationError, match=f"batcher 'orders': .*{what}") as caught:
        MessageBatcher(*arguments, name="orders")

    assert ExitCode.of(caught.value) is ExitCode.USAGE


@pytest.mark.parametrize(
    "process",
    [Store(), Store().store, lambda batch: None, functools.partial(lambda store, batch: None, "store"), [].append],
)
def test_whatever_takes_a_batch_processes_it(process):
    """Functions, methods, objects, partials, and what is built in."""
    MessageBatcher(BatchConfig(), process)


def halted(batcher, handle, *middlewares):
    """Deliver two messages to *handle*, of a router that does not have *batcher*.

    Returns what has ended the router, what was committed and what went to the DLQ.
    """
    subscriber, publisher, router = FakeSubscriber(), RecordingPublisher(), Router()
    router.add_middleware(*middlewares, FailurePolicy(retry=None))
    router.add_consumer_handler("orders", "t", subscriber, handle, poison=PoisonTopic(publisher, "dlq"))
    router.start()
    subscriber.subscription.deliver(b"{}", b"{}")
    with pytest.raises(ConfigurationError) as caught:
        router.wait_closed(10)
    return str(caught.value), subscriber.subscription.committed(), publisher.messages("dlq")


@pytest.mark.parametrize(
    "add",
    [
        pytest.param(lambda one, item: one.add(item), id="add"),
        pytest.param(lambda one, item: one.add_all([item]), id="add_all"),
        pytest.param(lambda one, item: one.add_unheld(item), id="add_unheld"),
    ],
)
@pytest.mark.parametrize("middlewares", [[], [InstantAck()]], ids=["plain", "acked at once"])
def test_a_batcher_that_its_router_was_not_given_ends_the_router_at_the_first_message(batcher, add, middlewares):
    """Nobody would flush it at the end. Nothing is acked for it, nothing poisoned: the messages come again."""
    process = RecordingProcess()
    one = batcher(process)

    ended = halted(one, lambda message: add(one, BatchMessage(message, None)), *middlewares)

    text = "batcher 'batcher' gets messages of handler 'orders' but was not given to the router: router.add_worker(batcher)"
    assert ended == (text, 0, [])
    assert drain(one)
    assert process.sizes == []


def test_a_batcher_that_somebody_has_started_takes_messages_of_any_router(batcher):
    """Whoever starts it by itself drains it as well."""
    one = batcher(RecordingProcess(), batch_size=1)
    one.start()
    subscriber, router = FakeSubscriber(), Router()
    router.add_consumer_handler("h", "t", subscriber, lambda message: one.add(BatchMessage(message, None)))
    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)


WRONG = [
    pytest.param(Message(b"x"), "it was given a Message", id="a message"),
    pytest.param(BatchMessage({"id": 1}, Message(b"x")), "its message is a dict", id="swapped"),
    pytest.param(None, "it was given None", id="nothing"),
]


@pytest.mark.parametrize(("wrong", "text"), WRONG)
@pytest.mark.parametrize("is_started", [False, True])
@pytest.mark.parametrize("method", ["add", "add_all", "add_unheld"])
def test_what_is_no_batch_message_is_the_programs_mistake(batcher, wrong, text, is_started, method):
    """Not an error that a failure policy takes for one of the message."""
    one = batcher(RecordingProcess())
    if is_started:
        one.start()

    with pytest.raises(ConfigurationError, match=rf"^batcher 'batcher': pass BatchMessage\(message, item\): {text}$"):
        getattr(one, method)([wrong] if method == "add_all" else wrong)
    assert one.pending == 0


def test_what_is_no_batch_message_poisons_no_message():
    """It stops the router at the first one."""
    one = MessageBatcher(BatchConfig(), RecordingProcess(), name="orders")
    one.start()
    try:
        error, *nothing = halted(one, one.add)
    finally:
        drain(one)

    assert error == "batcher 'orders': pass BatchMessage(message, item): it was given a Message"
    assert nothing == [0, []]


def test_add_all_takes_a_list_and_an_empty_one(batcher):
    """One item by itself is told; no item is nothing to do, also at the very beginning."""
    one = batcher(RecordingProcess())

    one.add_all([])
    with pytest.raises(ConfigurationError, match="pass a list of BatchMessage: add_all was given a BatchMessage"):
        one.add_all(batch_message())


def test_other_errors_of_a_message_stay_what_they_are(batcher):
    """Only those that come of a wrong kind of argument are taken for one."""
    one, broken = batcher(RecordingProcess()), batch_message()
    broken.message.delivery = None

    for add in (one.add, one.add_unheld, lambda item: one.add_all([item])):
        with pytest.raises(AttributeError, match="NoneType"):
            add(broken)
