"""`scripts/clickhouse faults`: a door before a server, and what it does to the next INSERTs."""

import itertools
import sys
import threading
from collections.abc import Iterator, Sequence

from .errors import ServerError
from .fault_server import FaultServer, fault_server
from .faults import FAULTS, Fault, name_of


class Told:
    """Says what becomes of each INSERT, in a line. From any thread."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def __call__(self, fault: Fault) -> None:
        """Say it of the next one."""
        with self._lock:
            print(f"INSERT {next(self._numbers)}: {name_of(fault)}", file=sys.stderr, flush=True)


def read_faults(words: Sequence[str]) -> list[Fault]:
    """Return the faults of *words*, each a name or a name and how often: `503:20`.

    Raises:
        ServerError: there is no such fault; names those that there are.
    """
    return [fault for word in words for fault in _read_word(word)]


def _read_word(word: str) -> list[Fault]:
    name, _, times = word.partition(":")
    if name not in FAULTS:
        raise ServerError(f"{name!r} is no fault; there are {', '.join(FAULTS)}")
    if times and not times.isdecimal():
        raise ServerError(f"{word!r}: {times!r} is not how often; such as {name}:20")
    return [FAULTS[name]] * int(times or 1)


def serve(url: str, port: int, faults: Sequence[Fault], *, repeats: bool) -> None:
    """Stand before the server at *url* until the process is interrupted; each line of stdin names further faults.

    Args:
        url: with http.
        port: to listen on; 0 is a free one.
        faults: for the next INSERTs, one each; those behind them pass.
        repeats: begin with *faults* again when they are over; what comes by stdin goes between.

    Raises:
        ServerError: *url* is not one that it can stand before.
    """
    if not url.startswith("http://"):
        raise ServerError(f"{url!r} is no address such as http://127.0.0.1:8123")
    with fault_server(url, port, Told()) as server:
        if repeats and faults:
            server.when_over = itertools.cycle(faults)
        else:
            server.fail_next(*faults)
        print(server.address(), flush=True)
        for line in _lines():
            _take(server, line)
        threading.Event().wait()


def _lines() -> Iterator[str]:
    """Yield what comes by stdin, if anything does; at its end the door stays."""
    return iter(sys.stdin) if sys.stdin is not None else iter(())


def _take(server: FaultServer, line: str) -> None:
    try:
        server.fail_next(*read_faults(line.split()))
    except ServerError as error:
        print(f"clickhouse: {error}", file=sys.stderr, flush=True)
