"""What the tests of several middlewares share."""

import weakref

from millstream.router import Assignment, Message, Scope
from millstream.router.delivery.route import Route
from millstream.router.testing import ManualClock


class SteppingClock:
    """A clock that jumps to whatever moment is waited for, so that waits take no time, and remembers the waits."""

    def __init__(self):
        self.time = 0.0
        self.waits = []
        self.on_wait = lambda: None

    def now(self):
        """Return the seconds waited for so far."""
        return self.time

    def wait_until(self, condition, deadline):
        """Jump to *deadline*, unless `on_wait` raises."""
        self.on_wait()
        self.waits.append(deadline - self.time)
        self.time = deadline


class Panic(BaseException):
    """What no `except Exception` catches."""


class BadRow(Exception):
    """What `FailingHandler` raises."""


class FakeSink:
    """A poison sink that keeps what it takes."""

    def __init__(self, error=None):
        self.taken = []
        self._error = error

    def take(self, message, error):
        """Keep both, or raise the error that was named."""
        if self._error is not None:
            raise self._error
        self.taken.append((message, error))


class FailingHandler:
    """Raises a new error at every call and keeps none of them."""

    def __init__(self):
        self._errors = []

    def __call__(self, message):
        """Fail."""
        raise self._new_error()

    def _new_error(self):
        error = BadRow()  # an error class of C takes no weak reference
        self._errors.append(weakref.ref(error))
        return error

    @property
    def alive(self):
        """For each error, in order, whether somebody keeps it."""
        return [error() is not None for error in self._errors]


def close_router(message):
    """Let the router of *message* begin to close."""
    message.assignment.scope.close()


def revoke_partition(message):
    """Let the partition of *message* begin to go."""
    message.assignment.is_closing = True


def make_message(clock=None, *, sink=None, payload=b"x", metadata=None):
    """Return a message as a router delivers it, whose context waits on *clock*."""
    assignment = Assignment("events", 0)
    assignment.scope = Scope(ManualClock() if clock is None else clock)
    assignment.route = Route("h", "events", "FakeSubscriber", sink=sink)
    return Message(payload, topic="events", partition=0, offset=0, assignment=assignment, metadata=metadata or {})
