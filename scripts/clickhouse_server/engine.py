"""The server's own process: the library carries clickhouse-local, which can listen.

    python -m clickhouse_server.engine LIBRARY --path=FOLDER --http_port=N …

Runs until it is killed. What follows the library goes to clickhouse-local as it is.
"""

import ctypes
import sys

HOLD = (
    "SYSTEM START LISTEN HTTP; SELECT sleepEachRow(3) FROM numbers(1000000000) FORMAT Null SETTINGS max_block_size = 1"
)
"""Opens the port, and keeps clickhouse-local busy from then on: its process ends with its last statement."""


def main() -> int:
    """Run the engine; returns only when it could not go on."""
    library, *options = sys.argv[1:]
    arguments = ["clickhouse-local", *options, "--query", HOLD]
    line = (ctypes.c_char_p * len(arguments))(*map(str.encode, arguments))
    engine = ctypes.CDLL(library)
    engine.chdb_query_cmdline.restype = ctypes.c_void_p
    engine.chdb_result_error.restype = ctypes.c_char_p
    engine.chdb_result_error.argtypes = [ctypes.c_void_p]
    result = engine.chdb_query_cmdline(len(arguments), line)
    # What it could not do, it has said on stderr by itself, mostly.
    reason = engine.chdb_result_error(result)
    if reason:
        print(reason.decode(errors="replace"), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
