"""What runs under a number."""

import subprocess
from pathlib import Path

from kafka_broker.errors import BrokerError

PROC = Path("/proc")


def arguments_of(pid: int) -> bytes:
    """Return the command line of the process *pid*; empty if there is none, or it has ended and waits for its parent.

    Raises:
        BrokerError: nothing on this system tells.
    """
    if (PROC / "self" / "cmdline").exists():
        try:
            return (PROC / str(pid) / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return b""
    try:
        line = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
        return subprocess.run(line, capture_output=True, check=False).stdout
    except FileNotFoundError:
        raise BrokerError("neither /proc nor ps is there to tell what runs; install ps (procps)") from None
