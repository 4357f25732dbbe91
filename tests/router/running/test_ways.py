"""Which middleware lets messages pass it by."""

import pytest

from millstream.middleware import CorrelationID, FailurePolicy, InstantAck, PoisonQueue, Recoverer, Retry, Throttle
from millstream.router.running.ways import admits_runs, passes_success


class CountingRetry(Retry):
    """A middleware of a user's own, which wants to see each message."""

    def __call__(self, next_handler):
        """Count."""
        return next_handler


class QuietRetry(Retry):
    """One that changes nothing of how it is called."""


class SayingSo(CountingRetry):
    """One that says it for itself."""

    passes_success = True


def plain(next_handler):
    """A middleware that is a function."""
    return next_handler


def saying(next_handler):
    """A function that says so."""
    return next_handler


saying.passes_success = True


@pytest.mark.parametrize(
    "middleware",
    [
        Recoverer(),
        Retry(),
        PoisonQueue(),
        FailurePolicy(),
        CorrelationID(),
        InstantAck(),
        QuietRetry(),
        SayingSo(),
        saying,
    ],
)
def test_what_does_nothing_to_a_good_message_is_passed_by(middleware):
    """Expect it of those that say so, and of what is derived from them without a call of its own."""
    assert passes_success(middleware)


@pytest.mark.parametrize("middleware", [Throttle(1), CountingRetry(), plain, lambda next_handler: next_handler])
def test_what_does_not_say_so_sees_each_message(middleware):
    """Expect a call of its own to count as one that its parent knew nothing of."""
    assert not passes_success(middleware)


class CountingThrottle(Throttle):
    """A middleware of a user's own, which wants to see each message."""

    def __call__(self, next_handler):
        """Count."""
        return next_handler


class AdmittingThrottle(CountingThrottle):
    """One that says for itself how many go."""

    def admit(self, context, count):
        """Let one go."""
        return 1


@pytest.mark.parametrize(
    ("middleware", "expected"),
    [(Throttle(1), True), (AdmittingThrottle(1), True), (CountingThrottle(1), False), (Retry(), False), (plain, False)],
)
def test_what_admits_runs_says_so(middleware, expected):
    """Expect it of who says how many messages go, and of what is derived from that without a call of its own."""
    assert admits_runs(middleware) is expected
