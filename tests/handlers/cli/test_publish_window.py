"""How long the window of `millstream publish` waits once it is told to end."""

import pytest

from millstream.handlers.cli.publish_window import Window, gives_up_at
from millstream.router import Message


class Unanswered:
    """A confirmation that never comes."""

    is_done = False

    def __init__(self, messages):
        self.messages = messages

    def wait(self, seconds):
        """Come back at once: what is looked at is the time that is left."""
        return False


class Publisher:
    """Hands out confirmations that do not come."""

    moved_at = 0.0

    def publish_async(self, topic, *messages):
        """Promise."""
        return Unanswered(messages)


@pytest.mark.parametrize(
    ("moved_at", "close_timeout", "ends_at"),
    [
        pytest.param(0.0, 600.0, 101.0, id="nobody answers"),
        pytest.param(100.7, 600.0, 101.7, id="they have answered since"),
        pytest.param(129.9, 30.0, 130.0, id="they answer until the close time-out"),
        pytest.param(0.0, 0.0, 100.0, id="no time at all"),
    ],
)
def test_an_end_is_waited_for_only_as_long_as_something_is_confirmed(moved_at, close_timeout, ends_at):
    """Told at 100 s to end, with a second of silence: what was sent right before has its chance."""
    at = gives_up_at(100.0, moved_at, close_timeout, 1.0)

    assert at == pytest.approx(ends_at)


def test_the_window_gives_up_what_nobody_confirms():
    """What does not end here hangs; all of it counts as not confirmed."""
    window = Window(Publisher(), "events", quiet_seconds=0.01)
    window.publish([Message(b"a")], lambda: False)
    window.finish(600.0, lambda: True)

    assert (window.confirmed, window.unconfirmed) == (0, 1)
