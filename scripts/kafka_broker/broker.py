"""A broker in a folder: started, stopped and looked at by the pid file that lies there."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from kafka_broker.class_archive import archive_option
from kafka_broker.errors import BrokerError
from kafka_broker.jars import fetch_jars, java_environment, require_java
from kafka_broker.listeners import CONTROLLER, HOST, PASSWORD, PLAIN, USER, Security, choose_ports, make_certificate
from kafka_broker.processes import arguments_of
from kafka_broker.properties import make_properties
from kafka_broker.wire import is_ready

CLUSTER = "MillstreamTestBrokerAA"  # 16 bytes in base64, as Kafka wants it
START_TIMEOUT = 180.0  # seconds; it takes 4 on a free machine
STOP_COMPILING_AT = "-XX:TieredStopAtLevel=1"  # with the next line a start needs half the processor time: 5.5 s for 10
COLLECTOR = "-XX:+UseSerialGC"
STOP_TIMEOUT = 30.0  # seconds until SIGTERM is followed by SIGKILL; it takes 1
PORT_TRIES, PORT_TAKEN = 3, "BindException"
"""How often a new broker chooses ports, where another program has taken one before it could."""
LOOK_EVERY = 0.1  # seconds


class Broker:
    """The broker whose data, log and pid file lie in *folder*.

    Args:
        folder: made where it is missing.
        java_option: one for Java beside its own; by default the one that makes a start faster.
    """

    def __init__(self, folder: Path, java_option: str | None = None) -> None:
        self.folder = folder.expanduser().resolve()
        self._java_option = java_option
        self.log = self.folder / "broker.log"
        self._pid_file = self.folder / "broker.pid"
        self._ports_file = self.folder / "ports.json"
        self._properties = self.folder / "server.properties"

    def pid(self) -> int | None:
        """Return the number of the running process, or None; a number that now belongs to another program does not count."""
        try:
            pid = int(self._pid_file.read_text())
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(self._properties) in arguments_of(pid) else None

    def addresses(self) -> dict[str, str]:
        """Return the address of each listener that clients may use, the plain one first."""
        return {name: f"{HOST}:{port}" for name, port in self._read_ports().items() if name != CONTROLLER}

    def start(self, security: Security, port: int | None) -> None:
        """Start the broker and wait until it answers; its data and its ports stay what they were in this folder."""
        if self.pid() is not None:
            raise BrokerError(f"already running at {self.addresses().get(PLAIN)} in {self.folder}; stop it first")
        require_java()
        jars = fetch_jars()
        if self._java_option is None:
            self._java_option = archive_option(jars, _start_and_stop)
        self.folder.mkdir(parents=True, exist_ok=True)
        if security.tls:
            make_certificate(self.folder)
        known = self._read_ports()
        tries = 1 if known or port is not None else PORT_TRIES
        for left in reversed(range(tries)):
            try:
                self._start_at(choose_ports([*security.names(), CONTROLLER], known, port), jars)
            except BrokerError:
                if not left or PORT_TAKEN not in self._last_words():
                    raise
                # They were free when we chose them. What was prepared for them is prepared anew.
                self._ports_file.unlink(missing_ok=True)
                shutil.rmtree(self.folder / "data", ignore_errors=True)
            else:
                return

    def _start_at(self, ports: dict[str, int], jars: Path) -> None:
        self._properties.write_text(make_properties(self.folder, ports), encoding="ascii")
        self._write_ports(ports)
        self._format(jars)
        self._run(jars, ports[PLAIN])

    def stop(self, patience: float = STOP_TIMEOUT) -> bool:
        """End the broker and wait for its end, killing it after *patience* seconds; return False if it did not run."""
        pid = self.pid()
        if pid is not None:
            for each in (signal.SIGTERM, signal.SIGCONT):
                self._signal(pid, each)
            if not self._wait_for_end(patience):
                self._signal(pid, signal.SIGKILL)
                self._wait_for_end(STOP_TIMEOUT)
        self._pid_file.unlink(missing_ok=True)
        return pid is not None

    def _run(self, jars: Path, port: int) -> None:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*self._java(jars, "-Xms256m", "-Xmx1g"), "kafka.Kafka", str(self._properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=java_environment(),
            )
        try:
            self._pid_file.write_text(str(process.pid))
            self._wait_until_ready(process, port)
        except BaseException:
            # Ctrl-C reaches only us: the broker has a session of its own. It is ended as our child: for a moment after
            # its start nothing tells that its number is a broker's, so `stop` would find none. At once, since a broker
            # that is told to end while it starts may wait for itself for minutes.
            process.kill()
            process.wait()
            self._pid_file.unlink(missing_ok=True)
            raise

    def _wait_until_ready(self, process: subprocess.Popen[bytes], port: int) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not is_ready(HOST, port, timeout=1.0):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_EVERY)
                raise BrokerError(f"the broker ended during its start; {self._last_words()}")
            if time.monotonic() > deadline:
                raise BrokerError(f"the broker did not answer within {START_TIMEOUT:.0f} s; {self._last_words()}")

    def _format(self, jars: Path) -> None:
        if (self.folder / "data" / "meta.properties").exists():
            return
        # Half a format would be refused for ever.
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        users = [f"SCRAM-SHA-{bits}=[name={USER},password={PASSWORD}]" for bits in (256, 512)]
        tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(self._properties)]
        command = [*self._java(jars), *tool, *(part for user in users for part in ("--add-scram", user))]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=java_environment())
        if done.returncode:
            raise BrokerError(f"the folder {self.folder} could not be prepared: {(done.stderr or done.stdout).strip()}")

    def _java(self, jars: Path, *options: str) -> list[str]:
        options = (STOP_COMPILING_AT, COLLECTOR, *([self._java_option] if self._java_option else []), *options)
        return ["java", *options, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars}/*"]

    def _read_ports(self) -> dict[str, int]:
        try:
            found = json.loads(self._ports_file.read_text())
        except FileNotFoundError:
            return {}
        except ValueError:
            found = None
        if not isinstance(found, dict) or not all(type(port) is int for port in found.values()):
            raise BrokerError(f"{self._ports_file} is damaged: remove it, and the broker gets new ports")
        return found

    def _write_ports(self, ports: dict[str, int]) -> None:
        # Renamed into place: whoever is interrupted leaves the old file or the new one, and no part of it.
        half = self._ports_file.with_suffix(".new")
        half.write_text(json.dumps(ports))
        half.replace(self._ports_file)

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

    def _last_words(self) -> str:
        said = self.log.read_text(errors="replace") if self.log.exists() else ""
        lines = [line for line in said.splitlines() if "ERROR" in line or "Exception" in line]
        return f"{self.log} says: {lines[-1]}" if lines else f"see {self.log}"


def _start_and_stop(folder: Path, java_option: str) -> None:
    """Run a broker in *folder* for as long as it takes to load its classes."""
    broker = Broker(folder, java_option)
    broker.start(Security(), None)
    broker.stop(START_TIMEOUT)  # at its end it writes them
