"""`millstream` that ends itself with SIGKILL at a named point, the second time that it comes there.

python -m tests.handlers.cli.run.kill_at POINT run …
"""

import itertools
import os
import signal
import sys
import threading

from clickhouse_connect.driver.httpclient import HttpClient

from millstream.handlers.cli.main import main
from millstream.router.kafka.consuming.committer import Committer
from millstream.router.kafka.consuming.poll_loop import STORE_SECONDS

TIMES = 2


class Point:
    """Counts, and ends the process when its time has come."""

    def __init__(self):
        self._count = itertools.count(1)

    def come(self):
        """Note that one is about to come to the point; returns whether it ends there."""
        return next(self._count) == TIMES


def die():
    """End at once: nothing of Python runs any more."""
    os.kill(os.getpid(), signal.SIGKILL)


def around_insert(point, *, before=False, during=False):
    """End before, in the middle of, or after the request of an INSERT."""
    original = HttpClient.raw_insert

    def raw_insert(self, table=None, column_names=None, insert_block=None, **options):
        ends = point.come()
        if ends and before:
            die()
        block = _half(insert_block) if ends and during else insert_block
        summary = original(self, table, column_names, block, **options)
        if ends:
            die()
        return summary

    HttpClient.raw_insert = raw_insert


def _half(block):
    whole = b"".join(block)
    yield whole[: len(whole) // 2]
    die()


def slow_down_inserts():
    """Let an INSERT take longer than it is until the next offsets are handed over, or the first ones are all there are."""
    original = HttpClient.raw_insert

    def raw_insert(*given, **options):
        threading.Event().wait(2 * STORE_SECONDS)
        return original(*given, **options)

    HttpClient.raw_insert = raw_insert


def around_commit(point, *, before):
    """End before offsets are handed over, or when the broker has them."""
    slow_down_inserts()
    original = Committer._store

    def store(self, places):
        ends = point.come()
        if ends and before:
            die()
        is_taken = original(self, places)
        if ends:
            self._consumer.commit(asynchronous=False)
            die()
        return is_taken

    Committer._store = store


POINTS = {
    "before the INSERT": lambda point: around_insert(point, before=True),
    "during the INSERT": lambda point: around_insert(point, during=True),
    "after the INSERT": around_insert,
    "before the commit": lambda point: around_commit(point, before=True),
    "after the commit": lambda point: around_commit(point, before=False),
}

if __name__ == "__main__":
    POINTS[sys.argv[1]](Point())
    sys.exit(main(sys.argv[2:]))
