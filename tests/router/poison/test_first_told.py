"""Of all that a handler sets aside one line speaks: the first message, where it went, and why."""

import pytest

from millstream.router import MONOTONIC, Message, PoisonTopic
from millstream.router.poison.sink_worker import SinkWorker
from millstream.router.poison.sinks import Discard
from millstream.router.testing import RecordingPublisher, eventually


def set_aside(writer, *errors):
    """Have a sink write a message for each of *errors*; returns how many it has counted."""
    worker = SinkWorker("orders", writer)
    for number, error in enumerate(errors):
        worker.take(Message(b"x", uuid=f"u-{number}", topic="orders", partition=0, offset=number), error)
    worker.start()
    assert worker.drain(MONOTONIC.now() + 10.0)
    return worker.poisoned


def test_the_first_message_that_is_set_aside_is_told_with_its_reason(log_lines):
    """Else only the metadata of the records says that there are any; a thousand more of them are no line."""
    count = set_aside(PoisonTopic(RecordingPublisher(), "orders-dlq"), *map(KeyError, range(1001)))

    assert count == 1001
    (line,) = log_lines
    assert line.startswith(
        "WARNING first message set aside, in PoisonTopic('orders-dlq'); later ones are only counted: "
    )
    assert line.endswith(": <Message u-0, 1 bytes, orders[0]@0>: KeyError: 0")


def test_nothing_is_told_before_its_record_is_safe(log_lines):
    """A line that says "set aside" is true."""
    away = RecordingPublisher([ConnectionError("away")] * 10_000)
    worker = SinkWorker("orders", PoisonTopic(away, "orders-dlq"))
    worker.take(Message(b"x"), ValueError("bad"))
    worker.start()
    assert eventually(lambda: log_lines)

    assert not worker.drain(MONOTONIC.now())
    assert [line.partition(",")[0] for line in log_lines] == ["ERROR poison record not written"]


@pytest.mark.parametrize("error", [ValueError("bad\n" * 300)])
def test_what_is_told_is_one_line(log_lines, error):
    """However long the reason is."""
    set_aside(PoisonTopic(RecordingPublisher(), "dlq"), error)

    (line,) = log_lines
    assert len(line) < 400
    assert "\n" not in line


def test_a_writer_that_tells_itself_is_left_to_it(log_lines):
    """As what is dropped is told in blocks."""
    set_aside(Discard(), ValueError("bad"))

    assert [line.partition(":")[0] for line in log_lines] == ["WARNING poisoned messages dropped, as configured"]
