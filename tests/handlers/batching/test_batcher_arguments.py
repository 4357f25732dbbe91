"""A batcher that could never work is refused where it is made."""

import functools

import pytest

from millstream.handlers.batching import BatchConfig, MessageBatcher
from millstream.router import ConfigurationError, ExitCode


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
