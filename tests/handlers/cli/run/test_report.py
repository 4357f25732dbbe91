"""The lines that a service says of itself."""

import threading

from millstream.handlers.cli.run.report import Report, Snapshot

QUIET = Snapshot(stored=0, inserts=0, poisoned=0, pending=0, post_process_errors=0, store_down=0.0)


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
