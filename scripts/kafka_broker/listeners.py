"""Where the broker listens: names, ports, and the files behind TLS."""

import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kafka_broker.errors import BrokerError
from kafka_broker.jars import java_environment

PLAIN, SASL, TLS, SASL_TLS = "PLAINTEXT", "SASL_PLAINTEXT", "SSL", "SASL_SSL"
CONTROLLER = "CONTROLLER"
HOST = "127.0.0.1"

USER = "millstream"
PASSWORD = "millstream-secret"
"""Of the one user, for PLAIN and SCRAM: no secret, since the broker listens on this machine only."""

# Below the ports that systems hand out to clients: a client that keeps calling a broker that is down may otherwise be given
# the broker's own port, and the broker cannot come back.
FIRST_PORT, LAST_PORT = 20_000, 29_999
FREE_TIMEOUT = 5.0  # seconds
LOOK_EVERY = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Security:
    """Which listeners there are besides the plain one, which is always there."""

    sasl: bool = False
    tls: bool = False

    def names(self) -> list[str]:
        """Return the listeners for clients, the plain one first."""
        named = [(PLAIN, True), (SASL, self.sasl), (TLS, self.tls), (SASL_TLS, self.sasl and self.tls)]
        return [name for name, is_wanted in named if is_wanted]


def choose_ports(names: Iterable[str], old: dict[str, int], port: int | None) -> dict[str, int]:
    """Return a port for each listener: *port* for the plain one if given, else what it had, else one that is free."""
    wanted = old | ({} if port is None else {PLAIN: port})
    ports: dict[str, int] = {}
    for name in names:
        ports[name] = wanted[name] if name in wanted else find_free({*wanted.values(), *ports.values()})
        if not becomes_free(ports[name]):
            raise BrokerError(f"port {ports[name]} is taken; choose another with --port, or another --folder")
    return ports


def becomes_free(port: int) -> bool:
    """Tell whether a server can listen on *port*, now or within `FREE_TIMEOUT`.

    What has just ended is no longer among the processes a moment before the system closes its port.
    """
    pause, deadline = threading.Event(), time.monotonic() + FREE_TIMEOUT
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        pause.wait(LOOK_EVERY)
    return True


def is_free(port: int) -> bool:
    """Tell whether a server could listen on *port* now."""
    with socket.socket() as probe:
        # As the broker does: the connections of one that ended lately do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def make_certificate(folder: Path) -> None:
    """Write a self-signed certificate: `broker.p12` for the broker, `ca.pem` for its clients; keep them if they are there."""
    store, certificate = folder / "broker.p12", folder / "ca.pem"
    if certificate.exists():
        return
    store.unlink(missing_ok=True)
    key = ["-alias", "broker", "-storetype", "PKCS12", "-keystore", str(store), "-storepass", PASSWORD]
    made = ["-keyalg", "RSA", "-validity", "3650", "-dname", "CN=localhost", "-ext", f"san=ip:{HOST},dns:localhost"]
    for command in (["-genkeypair", *made], ["-exportcert", "-rfc", "-file", str(certificate)]):
        line = ["keytool", *command, *key]
        done = subprocess.run(line, capture_output=True, text=True, check=False, env=java_environment())
        if done.returncode:
            raise BrokerError(f"keytool made no certificate: {(done.stdout + done.stderr).strip()}")


def find_free(taken: set[int]) -> int:
    """Return a port that is free now and not among *taken*, below those that systems hand out to clients."""
    candidates = random.sample(range(FIRST_PORT, LAST_PORT + 1), 200)
    free = next((port for port in candidates if port not in taken and is_free(port)), None)
    if free is None:
        raise BrokerError(f"no free port was found between {FIRST_PORT} and {LAST_PORT}; choose one with --port")
    return free
