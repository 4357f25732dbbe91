"""A door before a real ClickHouse that does to INSERTs what a real one cannot be asked to do; everything else passes."""

import contextlib
import enum
import http.client
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import msgspec

from tests.handlers.store.scripted_server import read_body

ANSWER_SECONDS = 120.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""What makes a close throw the connection away: the other side hears of a reset, not of an end."""
_OF_ONE_HOP = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive", "host"})
"""Headers, in lower case, that are not for whoever comes after."""


class End(enum.Enum):
    """What the client hears."""

    ANSWER = enum.auto()
    """What the server said, or what the fault says instead."""
    RESET = enum.auto()
    """A reset connection."""
    HANG = enum.auto()
    """Nothing: the connection stays open."""


class Fault(msgspec.Struct, frozen=True):
    """What becomes of one INSERT.

    Args:
        is_passed_on: whether the server gets it, before anything else happens.
        end: what the client hears then.
        status, code, text: an answer instead of the server's: the HTTP status, ClickHouse's code if any, the body.
        delay: seconds before the server gets it.
    """

    is_passed_on: bool = False
    end: End = End.ANSWER
    status: int = 0
    code: int | None = None
    text: str = ""
    delay: float = 0.0


NOTHING = Fault(is_passed_on=True)
RESET_BEFORE, RESET_AFTER = Fault(end=End.RESET), Fault(is_passed_on=True, end=End.RESET)
HANG_BEFORE, HANG_AFTER = Fault(end=End.HANG), Fault(is_passed_on=True, end=End.HANG)


class FaultServer(ThreadingHTTPServer):
    """Listens beside the server at *url*; a context manager that runs it on a thread of its own."""

    daemon_threads = True

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(url)
        self.url = f"http://127.0.0.1:{self.server_port}"
        """Its address, without a login."""
        self.tokens: list[str] = []
        """The token of each INSERT that came, whatever became of it."""
        self.has_ended = threading.Event()
        self.dropped: set[str] = set()
        """Parameters of a request that do not come through, as a proxy may do it."""
        self.replaced: tuple[bytes, bytes] | None = None
        """What every answer has in place of something else, as long as that."""
        self._script: deque[Fault] = deque()

    def address(self, user: str | None = None, database: str = "") -> str:
        """Return the store's address through here, as `RealClickHouse.address` does; the login is that of the server's url."""
        login = self.target.netloc.rpartition("@")[0] if user is None else user
        return f"http://{login}{'@' if login else ''}127.0.0.1:{self.server_port}/{database}"

    def fail_next(self, *faults: Fault) -> None:
        """Treat the next INSERTs so, one each."""
        self._script.extend(faults)

    def next_fault(self) -> Fault:
        """Return what is to be done to the INSERT that has come."""
        return self._script.popleft() if self._script else NOTHING

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent about clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultServer

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = read_body(self)
        parameters = parse_qs(urlsplit(self.path).query)
        fault = NOTHING
        if parameters.get("query", [""])[0].startswith("INSERT"):
            self.server.tokens.append(parameters["insert_deduplication_token"][0])
            fault = self.server.next_fault()
        self.server.has_ended.wait(fault.delay)
        answer = self._pass_on(body) if fault.is_passed_on else None
        if fault.end is End.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.connection.close()
            self.close_connection = True
        elif fault.end is End.HANG:
            self.server.has_ended.wait()
            self.close_connection = True
        elif fault.status or answer is None:
            code = {} if fault.code is None else {"X-ClickHouse-Exception-Code": str(fault.code)}
            self._answer(fault.status, code, fault.text.encode())
        else:
            self._answer(*answer)

    def _pass_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        target = self.server.target
        with contextlib.closing(http.client.HTTPConnection(target.hostname, target.port, timeout=ANSWER_SECONDS)) as to:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in _OF_ONE_HOP}
            if self.server.replaced is not None:
                kept = {name: value for name, value in kept.items() if name.lower() != "accept-encoding"}
            to.request("POST", self._path(), body, kept)
            answer = to.getresponse()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in _OF_ONE_HOP}
            return answer.status, headers, answer.read().replace(*self.server.replaced or (b"", b""))

    def _path(self) -> str:
        parts = urlsplit(self.path)
        asked = parse_qsl(parts.query, keep_blank_values=True)
        passed = [(name, value) for name, value in asked if name not in self.server.dropped]
        return self.path if len(passed) == len(asked) else f"{parts.path}?{urlencode(passed)}"

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@contextlib.contextmanager
def fault_server(url: str) -> Iterator[FaultServer]:
    """Run a door before the server at *url*, on its own thread."""
    with FaultServer(url) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.has_ended.set()
            server.shutdown()
            thread.join()
