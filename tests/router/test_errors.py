"""The tree of errors, and what they carry."""

import pytest

from millstream.router import (
    Cancelled,
    ConfigurationError,
    HaltedError,
    MessageTooLarge,
    MillstreamError,
    PermanentError,
    PublishError,
    RecoveredPanicError,
    StateError,
    SubscriptionClosed,
    TransientError,
)
from millstream.router.errors import text_of_error


@pytest.mark.parametrize(
    "error",
    [
        TransientError,
        PermanentError,
        MessageTooLarge,
        RecoveredPanicError,
        ConfigurationError,
        StateError,
        PublishError,
        HaltedError,
        SubscriptionClosed,
    ],
)
def test_every_error_derives_from_the_root(error):
    """One `except MillstreamError` catches them all."""
    assert issubclass(error, MillstreamError)


class NoSuchOrder(KeyError):
    """An error of a user's, whose text is that of a key."""


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyError("sensor"), "KeyError: 'sensor'"),
        (NoSuchOrder(7), "NoSuchOrder: 7"),
        (IndexError("list index out of range"), "IndexError: list index out of range"),
        (AssertionError("2 != 3"), "AssertionError: 2 != 3"),
        (AssertionError(), "AssertionError"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (ValueError(" "), "ValueError"),
        (KeyError("KeyError"), "KeyError: 'KeyError'"),
        (IndexError("IndexError: 3"), "IndexError: 3"),
        (ValueError("an order of 0 cents"), "an order of 0 cents"),
        (PermanentError("no order"), "no order"),
    ],
    ids=repr,
)
def test_text_of_an_error_can_be_read_alone(error, text):
    """Behind its type where it is a key, a number or nothing; all others speak for themselves, as the original has them."""
    assert text_of_error(error) == text


def test_no_error_is_both_transient_and_permanent():
    """Retry and poison choose by this branch."""
    assert issubclass(MessageTooLarge, PermanentError)
    assert not issubclass(PermanentError, TransientError)
    assert not issubclass(TransientError, PermanentError)


def test_panic_is_of_unknown_cause():
    """It may come of the moment as well as of the message: retried like any error of a handler."""
    assert not issubclass(RecoveredPanicError, PermanentError | TransientError)


def test_cancelled_is_no_error():
    """An `except Exception` in a handler cannot turn a shutdown into a handled message."""
    assert not issubclass(Cancelled, Exception)
    assert not issubclass(Cancelled, MillstreamError)


def test_publish_error_names_the_messages_that_did_not_get_out():
    """By uuid, as data; the text has their number, the topic and the first reason."""
    failures = {"u1": "timed out", "u2": "too large"}
    error = PublishError("orders", failures)
    failures.clear()

    assert (error.topic, error.failures) == ("orders", {"u1": "timed out", "u2": "too large"})
    assert str(error) == "2 messages were not published to 'orders'; u1: timed out"


def test_message_too_large_says_both_sizes():
    """As data and in the text."""
    error = MessageTooLarge(2_000_000, 1_048_576)

    assert (error.size_bytes, error.max_message_bytes) == (2_000_000, 1_048_576)
    assert str(error) == "message has 2000000 bytes, more than max_message_bytes=1048576"


def test_recovered_panic_keeps_what_was_raised():
    """Value and stack trace, for the log; the text names class and message."""
    value = KeyboardInterrupt("now")
    error = RecoveredPanicError(value, "trace")

    assert (error.value, error.stacktrace) == (value, "trace")
    assert str(error) == "panic in a handler: KeyboardInterrupt: now"
