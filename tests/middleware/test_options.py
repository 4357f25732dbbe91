"""An option of a middleware that can never work is refused where it is written, and told what to pass."""

import functools

import pytest

from millstream.middleware import Backoff, FailurePolicy, PoisonQueue, Retry, Throttle
from millstream.router import ConfigurationError, InMemoryPubSub, PoisonTopic


async def later(error):
    """Answer when somebody awaits it."""
    return True


def nothing():
    """Take nothing."""


WRONG = {
    "class of an error as filter": (
        lambda: PoisonQueue(filter=ValueError),
        r"filter is the class ValueError: pass a function: lambda error: isinstance\(error, ValueError\)",
    ),
    "class of an error to retry": (
        lambda: Retry(retry_if=OSError),
        r"retry_if is the class OSError: .*\(error, OSError\)",
    ),
    "another class": (lambda: Retry(retry_if=dict), r"retry_if is the class dict: pass a function of \(error\)$"),
    "classes of errors": (
        lambda: PoisonQueue(filter=(ValueError, OSError)),
        r"filter is a tuple: pass a function of \(error\), such as lambda error: isinstance",
    ),
    "flag in place of a filter": (lambda: PoisonQueue(filter=False), r"filter is False: pass a function of \(error\)"),
    "async filter": (lambda: PoisonQueue(filter=later), "filter is an async function: write def, not async def"),
    "filter of nothing": (lambda: PoisonQueue(filter=nothing), r"filter takes other .*: it is called with \(error\)"),
    "hook of one argument": (
        lambda: Retry(on_retry=lambda error: None),
        r"on_retry takes other arguments: it is called with \(attempt, error, seconds\)",
    ),
    "class of a hook": (
        lambda: Retry(on_exhausted=Retry),
        r"the class Retry: .* \(message, error, attempts\)",
    ),
    "text in place of a hook": (
        lambda: Retry(on_exhausted="log"),
        r"on_exhausted is 'log': pass a function of .*attempts\)$",
    ),
    "number in place of chance": (lambda: Retry(random=0.5), r"random is 0.5: pass a function of \(\)"),
    "chance of an argument": (lambda: Backoff(random=lambda seed: 0.5), r"random takes .* it is called with \(\)"),
    "retries as text": (lambda: Retry(max_retries="3"), "max_retries must be a number of at least 0, not '3'"),
    "retries as a flag": (lambda: Retry(max_retries=True), "max_retries must be a number of at least 0, not True"),
    "seconds as text": (lambda: Retry(max_elapsed="10s"), "max_elapsed must be a number of at least 0, not '10s'"),
    "no seconds": (lambda: Retry(initial_interval=None), "initial_interval must be a number of at least 0, not None"),
    "rate as text": (lambda: Throttle("10"), "rate must be a number of messages per second above 0, not '10'"),
    "class in place of a rate": (lambda: Throttle(Retry), "rate must be a number of .*, not the class Retry"),
    "burst as text": (lambda: Throttle(10, burst="2"), "burst must be a number of at least 1, not '2'"),
    "class of a retry": (
        lambda: FailurePolicy(retry=Retry),
        r"\(retry\) is the class Retry: pass an instance, Retry\(…\)",
    ),
    "number of retries": (lambda: FailurePolicy(retry=3), r"\(retry\) is 3: pass Retry\(…\), or None for no retries"),
    "flag in place of a retry": (lambda: FailurePolicy(retry=False), r"is False: pass Retry\(…\), or None for no ret"),
    "sink in place of a flag": (
        lambda: FailurePolicy(poison=PoisonTopic(InMemoryPubSub(), "dlq")),
        r"\(poison\) is a PoisonTopic: pass True or False; the sink is named where the handler is added, poison=…",
    ),
    "no flag": (lambda: FailurePolicy(recover=None), r"\(recover\) is None: pass True or False$"),
}


@pytest.mark.parametrize(("make", "what"), WRONG.values(), ids=WRONG)
def test_wrong_option_is_refused_with_what_to_pass(make, what):
    """Not at the first failure, nor by taking every error for one that was meant."""
    with pytest.raises(ConfigurationError, match=what):
        make()


@pytest.mark.parametrize(
    "predicate",
    [lambda error: False, lambda *arguments: False, functools.partial(isinstance, OSError()), [OSError()].count],
    ids=["lambda", "any number", "partial", "built in"],
)
def test_whatever_takes_an_error_is_a_predicate(predicate):
    """Functions, partials, and what is built in."""
    PoisonQueue(filter=predicate)
    Retry(retry_if=predicate, on_retry=lambda *told: None, on_exhausted=print)
