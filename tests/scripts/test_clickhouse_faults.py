"""What `scripts/clickhouse faults` does to INSERTs, and to whom else."""

import contextlib
import http.client
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.handlers.store.scripted_server import ScriptedServer, running_server

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
COMMAND = [sys.executable, "-m", "clickhouse_server", "faults"]
PASSED = (200, b"")
TIMEOUT = 10.0


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """What stands in for ClickHouse."""
    with running_server() as running:
        yield running


class Door:
    """A running `faults`."""

    def __init__(self, server: ScriptedServer, *words: str) -> None:
        line = [*COMMAND, "--before", server.dsn.rpartition("/")[0], *words]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(line, cwd=SCRIPTS, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        assert self.process.stdout is not None
        self._url = urlsplit(self.process.stdout.readline().strip())
        self.login = self._url.netloc.rpartition("@")[0]

    def __enter__(self) -> "Door":
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.kill()

    def add(self, line: str) -> None:
        """Write a line to its stdin, which ends."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.close()

    def heard(self) -> str:
        """The next line of its stderr."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().strip()

    def ask(self, query: str, body: bytes = b"") -> tuple[int, bytes] | str:
        """Send a statement; returns status and body of the answer, or what became of the connection."""
        connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=TIMEOUT)
        with contextlib.closing(connection):
            try:
                connection.request("POST", f"/?query={query}", body)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except ConnectionResetError:
                return "reset"

    def insert(self) -> tuple[int, bytes] | str:
        """Send an INSERT."""
        return self.ask("INSERT", b"rows")


def test_the_next_inserts_fail_as_told_and_those_behind_them_pass(server: ScriptedServer) -> None:
    """In the order of the command line; what is no INSERT passes in between."""
    with Door(server, "reset-before", "reset-after", "503:2") as door:
        heard = [door.insert(), door.ask("SELECT"), *[door.insert() for _ in range(4)]]
        told = [door.heard() for _ in range(5)]

    assert door.login == "user:hush-hush"
    assert heard == ["reset", PASSED, "reset", (503, b"busy"), (503, b"busy"), PASSED]
    assert [line.partition(": ")[2] for line in told] == ["reset-before", "reset-after", "503", "503", "none"]
    assert [body for _, body in server.inserts] == [b"rows"] * 2


def test_faults_are_gone_through_again_and_again_where_that_is_asked(server: ScriptedServer) -> None:
    """Until it ends."""
    with Door(server, "--repeat", "429", "none") as door:
        heard = [door.insert() for _ in range(4)]

    assert heard == [(429, b"slow down"), PASSED] * 2


def test_further_faults_come_by_stdin(server: ScriptedServer) -> None:
    """A line is as the command line; a word that is no fault is told, and the door stays."""
    with Door(server) as door:
        door.add("243 teapot\n252-parts")
        told = door.heard()
        heard = []
        while not heard or heard[-1] == PASSED:
            heard.append(door.insert())

    assert "'teapot' is no fault; there are none, slow, reset-before" in told
    assert heard[-1] == (
        500,
        b"Code: 252. DB::Exception: Too many parts (300), merges are slower than inserts. (TOO_MANY_PARTS)",
    )


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["faults", "teapot"], 2, "'teapot' is no fault; there are none, slow"),
        (["faults", "503:often"], 2, "'often' is not how often; such as 503:20"),
        (["stop", "503"], 2, "stop takes no faults"),
        (["faults", "--before", "https://elsewhere", "503"], 1, "is no address such as http://127.0.0.1:8123"),
        (["faults", "503", "--folder", "nowhere"], 1, "nowhere: start it, or name another one with --before URL"),
    ],
)
def test_what_it_cannot_do_is_one_line(words: list[str], code: int, told: str) -> None:
    """With the exit code of wrong usage, or of what could not be done."""
    line = [sys.executable, "-m", "clickhouse_server", *words]
    done = subprocess.run(line, cwd=SCRIPTS, capture_output=True, text=True, timeout=TIMEOUT, check=False)

    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr.splitlines()[-1]
