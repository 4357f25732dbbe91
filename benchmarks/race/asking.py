"""Print the one row that a store answers, as JSON: `python -m benchmarks.race.asking DSN STATEMENT`.

A process of its own, as an embedded engine stays in the process that has asked it.
"""

import contextlib
import json
import sys

from millstream.handlers.store import open_store


def main() -> None:
    """Ask."""
    dsn, statement = sys.argv[1:]
    with contextlib.closing(open_store(dsn)) as store:
        [row] = store.query(statement).rows
    print(json.dumps(row))


if __name__ == "__main__":
    main()
