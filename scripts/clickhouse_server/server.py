"""A server in a folder: started, stopped and looked at by the pid file that lies there."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from kafka_broker.listeners import HOST, becomes_free, find_free
from kafka_broker.processes import arguments_of

from clickhouse_server.errors import PortTaken, ServerError
from clickhouse_server.library import fetch_library

START_TIMEOUT = 120.0  # seconds; it takes one on a free machine
STOP_TIMEOUT = 30.0  # seconds until SIGTERM is followed by SIGKILL
LOOK_EVERY = 0.1  # seconds
PORT_TRIES, PORT_TAKEN = 3, "Address already in use"
"""How often a new server chooses a port, where another program has taken one before it could."""


class Server:
    """The server whose data, log and pid file lie in *folder*; it listens on this machine only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().resolve()
        self.log = self.folder / "server.log"
        self._data = self.folder / "data"
        self._pid_file = self.folder / "server.pid"
        self._port_file = self.folder / "port"

    @property
    def url(self) -> str:
        """Where it listens, or will listen again."""
        return f"http://{HOST}:{self._read_port()}"

    def pid(self) -> int | None:
        """Return the number of the running process, or None; a number that now belongs to another program does not count."""
        try:
            pid = int(self._pid_file.read_text())
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(f"--path={self._data}") in arguments_of(pid) else None

    def start(self, port: int | None, config: Path | None) -> None:
        """Start the server and wait until it answers; its data and its port stay what they were in this folder.

        Args:
            port: to listen on; None is the last one, else one that is free.
            config: a configuration in ClickHouse's own form, such as users and clusters.
        """
        if self.pid() is not None:
            raise ServerError(f"already running at {self.url} in {self.folder}; stop it first")
        library = fetch_library()
        self._data.mkdir(parents=True, exist_ok=True)
        known = port or self._read_port()
        for left in reversed(range(1 if known else PORT_TRIES)):
            try:
                self._start_at(known or find_free(set()), library, config)
            except PortTaken:
                if not left:
                    raise
                self._port_file.unlink(missing_ok=True)  # it was free when we chose it
            else:
                return

    def _start_at(self, port: int, library: Path, config: Path | None) -> None:
        if not becomes_free(port):
            raise PortTaken(f"port {port} is taken; choose another with --port, or another --folder")
        self._port_file.write_text(str(port))
        options = [f"--path={self._data}", f"--http_port={port}", f"--listen_host={HOST}"]
        if config is not None:
            options.append(f"--config-file={config.expanduser().resolve()}")
        self._run([str(library), *options], port)

    def stop(self) -> bool:
        """End the server and wait for its end; return False if it did not run."""
        pid = self.pid()
        if pid is not None:
            for each in (signal.SIGTERM, signal.SIGCONT):
                self._signal(pid, each)
            if not self._wait_for_end(STOP_TIMEOUT):
                self._signal(pid, signal.SIGKILL)
                self._wait_for_end(STOP_TIMEOUT)
        self._pid_file.unlink(missing_ok=True)
        return pid is not None

    def _run(self, arguments: list[str], port: int) -> None:
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "clickhouse_server.engine", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        try:
            self._pid_file.write_text(str(process.pid))
            self._wait_until_ready(process, port)
        except BaseException:
            # Ctrl-C reaches only us: the server has a session of its own.
            process.kill()
            process.wait()
            self._pid_file.unlink(missing_ok=True)
            raise

    def _wait_until_ready(self, process: subprocess.Popen[bytes], port: int) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not is_ready(port):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_EVERY)
                kind = PortTaken if PORT_TAKEN in self._said() else ServerError
                raise kind(f"the server ended during its start; {self._last_words()}")
            if time.monotonic() > deadline:
                raise ServerError(f"the server did not answer within {START_TIMEOUT:.0f} s; {self._last_words()}")

    def _read_port(self) -> int | None:
        try:
            return int(self._port_file.read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            raise ServerError(f"{self._port_file} is damaged: remove it, and the server gets a new port") from None

    def _wait_for_end(self, timeout: float) -> bool:
        pause, deadline = threading.Event(), time.monotonic() + timeout
        while self.pid() is not None:
            if time.monotonic() > deadline:
                return False
            pause.wait(LOOK_EVERY)
        return True

    def _signal(self, pid: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def _said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _last_words(self) -> str:
        lines = [line for line in self._said().splitlines() if "Exception" in line]
        return f"{self.log} says: {lines[0]}" if lines else f"see {self.log}"


def is_ready(port: int) -> bool:
    """Tell whether a ClickHouse server answers on *port*: an open port alone is not enough."""
    connection = http.client.HTTPConnection(HOST, port, timeout=1.0)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().read() == b"Ok.\n"
        except (OSError, http.client.HTTPException):
            return False
