"""The lines that a service says of itself."""

import contextlib
import threading

import pytest
from loguru import logger

from millstream.handlers.cli.run.report import Report, Snapshot
from millstream.router import UndrainedError

QUIET = Snapshot(stored=0, inserts=0, poisoned=0, pending=0, oldest=0.0, post_process_errors=0, store_down=0.0)


def test_a_line_comes_every_interval_and_one_at_the_end(log_lines):
    """The last one whatever ended the service."""
    looked = threading.Semaphore(0)

    def look():
        looked.release()
        return QUIET

    with Report(look, 0.01):
        for _ in range(3):
            assert looked.acquire(timeout=10)
    said = [line.removeprefix("INFO ") for line in log_lines]

    assert said[:2] == ["running", "running"]
    assert said[-1] == "ended"


def test_the_end_is_said_even_where_nobody_can_say_how_far_it_was():
    """What ended the service must not be hidden by its report."""

    def look():
        raise RuntimeError("no answer")

    with Report(look, 60.0):
        pass


@pytest.mark.parametrize(
    ("error", "is_said"), [(None, True), (UndrainedError(["batcher"], 1.0), False), (ValueError(), True)]
)
def test_what_was_not_finished_in_time_is_not_called_nothing(log_lines, error, is_said):
    """It has been given up with its partitions, and nobody counts it any more."""
    records = []
    sink = logger.add(lambda message: records.append(message.record))
    try:
        with contextlib.suppress(Exception), Report(lambda: QUIET, 60.0):
            if error is not None:
                raise error
    finally:
        logger.remove(sink)

    assert ("pending" in records[-1]["extra"]) == is_said
