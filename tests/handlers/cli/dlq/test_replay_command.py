"""How `millstream dlq replay` ends, and what it says then."""

import pytest

from millstream.handlers.cli.dlq.filters import Filter
from millstream.handlers.cli.dlq.replay import Replay
from millstream.handlers.cli.dlq.replay_command import send_planned
from millstream.handlers.cli.dlq.sending_back import Rules
from millstream.router import ConfigurationError, ExitCode, Message, TransientError
from millstream.router.kafka.publishing.transactions import Fenced
from tests.handlers.cli.dlq.poison_aids import poisoned
from tests.handlers.cli.dlq.replay_aids import FakeSource


class FailingSource(FakeSource):
    """Takes one chunk, and then raises."""

    error = None

    def send(self, items):
        """Take the first chunk."""
        if self.chunks:
            raise self.error
        super().send(items)


def end(source, is_stopped=lambda: False):
    """Plan and send, in chunks of one; returns the exit code."""
    plan, made = (Replay(Filter(), Rules(), is_stopped=each) for each in (lambda: False, is_stopped))
    made.pace.chunk_messages = 1
    plan.walk(source, None)
    return send_planned(made, plan, [source], is_stopped)


def messages(*more):
    """Return what two events of one topic left, and *more*."""
    return [poisoned("1", "events"), poisoned("2", "events"), *more]


def test_all_that_was_planned_is_clean(capsys):
    """One line for each source and topic."""
    code = end(FakeSource(messages()))
    out, err = capsys.readouterr()

    assert (code, out, err) == (ExitCode.CLEAN, "dlq to events: 2 sent\n", "")


def test_what_is_left_is_told_with_its_place(capsys):
    """What to do is in the words."""
    code = end(FakeSource(messages(*(Message(b"x", uuid="u") for _ in range(4)))))

    assert code is ExitCode.POISONED
    assert capsys.readouterr().err == (
        "millstream: left: 4 without a topic to go back to: --to TOPIC sends them (dlq[-1]@2, dlq[-1]@3, dlq[-1]@4, …)\n"
    )


@pytest.mark.parametrize("error", [Fenced("another one has taken over"), TransientError("no answer")])
def test_what_passes_by_itself_is_safe_to_repeat(capsys, error):
    """Also where another replay goes on."""
    source = FailingSource(messages())
    source.error = error
    code = end(source)
    out, err = capsys.readouterr()

    assert (code, out) == (ExitCode.UNDRAINED, "dlq to events: 1 sent\n")
    assert err.startswith(f"millstream: 1 sent, the rest not: {error}; run the same command again: ")


def test_a_signal_ends_it_in_order(capsys):
    """With what was sent and what to do."""
    source = FakeSource(messages())
    code = end(source, lambda: bool(source.chunks))

    assert code is ExitCode.UNDRAINED
    assert "1 sent, the rest not: interrupted; run the same command again: " in capsys.readouterr().err


def test_what_somebody_has_to_mend_is_raised_after_what_was_sent_is_told(capsys):
    """The command line says it."""
    source = FailingSource(messages())
    source.error = ConfigurationError("no right to write")
    with pytest.raises(ConfigurationError):
        end(source)

    assert capsys.readouterr().out == "dlq to events: 1 sent\n"
