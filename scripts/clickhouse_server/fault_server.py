"""A door before a real ClickHouse that does to INSERTs what a real one cannot be asked to do; everything else passes.

Tests import it from here as well: it knows nothing but `faults`, and those by a relative name.
"""

import contextlib
import http.client
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from .faults import NOTHING, End, Fault

ANSWER_SECONDS = 120.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""What makes a close throw the connection away: the other side hears of a reset, not of an end."""
_OF_ONE_HOP = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive", "host"})
"""Headers, in lower case, that are not for whoever comes after."""


class FaultServer(ThreadingHTTPServer):
    """Listens beside a server. `fault_server` runs it on a thread of its own.

    Args:
        url: of the server, with http.
        port: to listen on; 0 is a free one.
        on_insert: told of each INSERT what becomes of it, on the thread of its connection.
    """

    daemon_threads = True

    def __init__(self, url: str, port: int = 0, on_insert: Callable[[Fault], None] = lambda _fault: None) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
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
        self.on_insert = on_insert
        self.when_over: Iterator[Fault] = repeat(NOTHING)
        """What becomes of INSERTs for which nothing else was said."""
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
        return self._script.popleft() if self._script else next(self.when_over)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent about clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(*self._pass_on(b""))

    def do_POST(self) -> None:
        body = read_body(self)
        parameters = parse_qs(urlsplit(self.path).query)
        fault = NOTHING
        if (parameters.get("query", [""])[0].encode() or body).lstrip()[:6].upper() == b"INSERT":
            self.server.tokens.append(parameters.get("insert_deduplication_token", [""])[0])
            fault = self.server.next_fault()
            self.server.on_insert(fault)
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
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=ANSWER_SECONDS)
        with contextlib.closing(connection) as to:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in _OF_ONE_HOP}
            if self.server.replaced is not None:
                kept = {name: value for name, value in kept.items() if name.lower() != "accept-encoding"}
            to.request(self.command, self._path(), body, kept)
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


def read_body(handler: BaseHTTPRequestHandler) -> bytes:
    """Return the body of a request, however it was sent."""
    if "chunked" not in handler.headers.get("Transfer-Encoding", ""):
        return handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    chunks = []
    while size := int(handler.rfile.readline(), 16):
        chunks.append(handler.rfile.read(size))
        handler.rfile.readline()
    handler.rfile.readline()
    return b"".join(chunks)


@contextlib.contextmanager
def fault_server(
    url: str, port: int = 0, on_insert: Callable[[Fault], None] = lambda _fault: None
) -> Iterator[FaultServer]:
    """Run a door before the server at *url*, on its own thread; see `FaultServer`."""
    with FaultServer(url, port, on_insert) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.has_ended.set()
            server.shutdown()
            thread.join()
