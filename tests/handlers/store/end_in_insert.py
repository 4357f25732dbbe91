"""Ends while an embedded store is in the middle of an INSERT: python -m tests.handlers.store.end_in_insert FOLDER ENDING."""

import atexit
import sys
import threading
from pathlib import Path

from millstream.handlers.store import open_store
from millstream.router import ForcedExit, UndrainedError, exit_on_error
from millstream.router.testing import eventually

VIEWS = 20
SLOW = "CREATE MATERIALIZED VIEW slow_{} TO seen AS SELECT id FROM rows WHERE sleepEachRow(0.005) = 0"
"""Half a second for the rows below: an engine that is asleep all the time would not notice its end."""
ROWS = b"\n".join(b'{"id":"%d"}' % number for number in range(100))
RUNNING = "SELECT count() FROM system.processes WHERE query_kind = 'Insert'"
ENDINGS = {"undrained": lambda: UndrainedError(["batcher"], 1.0), "second signal": lambda: ForcedExit(15)}
"""What comes out of a router's `run`."""


def main(folder: Path, ending: str) -> None:
    """Begin an INSERT of some 10 s, and end at once."""
    store = open_store(f"chdb://{folder}")
    for table in ("rows", "seen"):
        store.command(f"CREATE TABLE {table} (id String) ENGINE = MergeTree ORDER BY id")
    for number in range(VIEWS):
        store.command(SLOW.format(number))
    threading.Thread(target=store.insert_lines, args=("rows", ["id"], ROWS, "token"), daemon=True).start()
    assert eventually(lambda: store.query(RUNNING).rows == [(1,)])
    # Whether the engine crashes when it is taken down is a matter of chance: that nothing is taken down is not.
    atexit.register(print, "unwound")
    with exit_on_error():
        raise ENDINGS[ending]()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
