"""A server that looks enough like ClickHouse over HTTP for the driver to open it, and fails INSERTs as told."""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from scripts.clickhouse_server.fault_server import read_body

SETTINGS = ["async_insert", "insert_deduplicate", "date_time_input_format", "max_execution_time", "readonly", "locked"]
"""What it knows; the last one is one that the user may not change."""


class ScriptedServer(ThreadingHTTPServer):
    """Answers the driver's opening questions; an INSERT gets the next answer of the script, or success."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = deque()
        """(status, ClickHouse code or None, text) for an answer, None to drop the connection without one."""
        self.inserts = []
        """Parameters and body of each INSERT that came in."""
        self.encodings = []
        """What each of them says of how its body is packed."""
        self.questions = []
        """Parameters and body of each other request."""
        self.states = dict.fromkeys(SETTINGS, ("", "", "", False))
        """What it tells of its settings: value, lowest, highest, whether the user may not change it."""
        self.refusal = None
        """(status, code, text) for every other request, None to answer it."""

    @property
    def dsn(self) -> str:
        """Where it listens, with a login."""
        return f"http://user:hush-hush@127.0.0.1:{self.server_port}/db"

    def handle_error(self, request, client_address):
        """Stay silent about connections that broke."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        parameters = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        body = read_body(self)
        if not parameters.get("query", "").startswith("INSERT"):
            self.server.questions.append((parameters, body))
            self._answer_question(body)
            return
        self.server.inserts.append((parameters, body))
        self.server.encodings.append(self.headers.get("Content-Encoding"))
        answer = self.server.script.popleft() if self.server.script else (200, None, "")
        if answer is None:
            self.close_connection = True
            return
        self._send(*answer)

    def _answer_question(self, body):
        if self.server.refusal is not None:
            self._send(*self.server.refusal)
        elif b"version()" in body:
            self._send(200, None, "26.7.2.1\tUTC\n")
        elif b"min, max" in body:
            self._send(200, None, _native_states(self.server.states))
        elif b"system.settings" in body:
            self._send(200, None, _native_settings())
        else:
            self._send(200, None, "")

    def _send(self, status, code, content):
        content = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        if code is not None:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.send_header("X-ClickHouse-Timezone", "UTC")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)


def _native_settings():
    """The settings as the driver asks for them: name, value, readonly in ClickHouse's Native format."""
    return _native(name=SETTINGS, value=[""] * len(SETTINGS), readonly=[name == "locked" for name in SETTINGS])


def _native_states(states):
    """The settings as the store asks for them: name, value, min, max, readonly."""
    value, low, high, locked = zip(*states.values(), strict=True)
    return _native(name=list(states), value=value, min=low, max=high, readonly=locked)


def _native(**columns):
    """One block: columns of texts, or of flags."""
    text = lambda value: bytes([len(value)]) + value.encode()  # noqa: E731
    rows = len(next(iter(columns.values())))
    encoded = [
        text(name)
        + (text("UInt8") + bytes(values) if name == "readonly" else text("String") + b"".join(map(text, values)))
        for name, values in columns.items()
    ]
    return bytes([len(columns), rows]) + b"".join(encoded)


@contextlib.contextmanager
def running_server() -> Iterator[ScriptedServer]:
    """Run a scripted server on its own thread."""
    with ScriptedServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
