"""The commands of `scripts/clickhouse`.

The standard output of `start` and `status` is the server's address alone, so that `$(scripts/clickhouse start)` can be used as it
is. Exit codes: 0 done; 1 it could not be done, or nothing runs; 2 wrong usage; 130 interrupted (SIGINT or SIGTERM), with nothing
left running that was about to start.
"""

import argparse
import signal
import sys
from pathlib import Path

from kafka_broker.errors import BrokerError
from kafka_broker.jars import cache_folder

from clickhouse_server.errors import ServerError
from clickhouse_server.library import require_library_or_npm
from clickhouse_server.server import Server

INTERRUPTED = 130  # 128 + SIGINT, as a shell has it


def main() -> int:
    """Run one command and return its exit code."""
    options = _read_options()
    server = Server(options.folder)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(options, server)
    except (ServerError, BrokerError, OSError) as error:
        print(f"clickhouse: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("clickhouse: interrupted", file=sys.stderr)
        return INTERRUPTED


def _run(options: argparse.Namespace, server: Server) -> int:
    if options.command == "start":
        server.start(options.port, options.config)
        print(server.url)
    elif options.command == "check":
        require_library_or_npm()
    elif options.command == "status":
        pid = server.pid()
        if pid is None:
            print(f"clickhouse: nothing runs in {server.folder}", file=sys.stderr)
            return 1
        print(server.url)
        print(f"process {pid}, log {server.log}", file=sys.stderr)
    elif not server.stop():
        print(f"clickhouse: nothing runs in {server.folder}", file=sys.stderr)
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 1 and 65535")
    return int(text)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="clickhouse", description="Run a ClickHouse server for tests and trials.")
    parser.add_argument(
        "command", choices=["start", "stop", "status", "check"], help="check: only see whether it could start"
    )
    parser.add_argument(
        "--folder", type=Path, default=cache_folder() / "clickhouse", metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument("--port", type=_port, metavar="N", help="default: the last one, else a free one")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="a config.xml, such as one whose users_config names users and profiles",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
