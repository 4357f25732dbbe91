"""The commands of `scripts/clickhouse`.

The standard output of `start` and `status` is the server's address alone, so that `$(scripts/clickhouse start)` can be used as it
is; that of `faults` is the address of its door. Exit codes: 0 done; 1 it could not be done, or nothing runs; 2 wrong usage; 130
interrupted (SIGINT or SIGTERM), with nothing left running that was about to start: `faults` ends in no other way.
"""

import argparse
import signal
import sys
from pathlib import Path

from kafka_broker.errors import BrokerError
from kafka_broker.jars import cache_folder

from clickhouse_server.errors import ServerError
from clickhouse_server.fault_command import read_faults, serve
from clickhouse_server.faults import FAULTS, Fault
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
    elif options.command == "faults":
        serve(options.before or _running(server), options.port or 0, options.faults, repeats=options.repeat)
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


def _running(server: Server) -> str:
    if server.pid() is None:
        raise ServerError(f"nothing runs in {server.folder}: start it, or name another one with --before URL")
    return server.url


def _fault(text: str) -> list[Fault]:
    try:
        return read_faults([text])
    except ServerError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 1 and 65535")
    return int(text)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="clickhouse", description="Run a ClickHouse server for tests and trials.")
    parser.add_argument(
        "command",
        choices=["start", "stop", "status", "check", "faults"],
        help="check: only see whether it could start; faults: stand before the server, and fail INSERTs as told",
    )
    parser.add_argument(
        "faults",
        nargs="*",
        type=_fault,
        metavar="FAULT",
        help=f"what becomes of the next INSERT, NAME or NAME:TIMES, more by lines of stdin: {', '.join(FAULTS)}",
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
    parser.add_argument(
        "--before", metavar="URL", help="faults: the server to stand before; default: the one that runs"
    )
    parser.add_argument(
        "--repeat", action="store_true", help="faults: begin again when they are over; else all pass then"
    )
    options = parser.parse_intermixed_args()  # an option may stand before the faults
    if options.command != "faults" and (options.faults or options.before or options.repeat):
        parser.error(f"{options.command} takes no faults")
    options.faults = [fault for several in options.faults for fault in several]
    return options


if __name__ == "__main__":
    sys.exit(main())
