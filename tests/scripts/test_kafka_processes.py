"""How `scripts/kafka` finds out what runs under a number, with /proc, with ps and with neither."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
ASK = """
import sys
from pathlib import Path
from kafka_broker import processes
from kafka_broker.errors import BrokerError
processes.PROC = Path(sys.argv[1])
try:
    sys.stdout.buffer.write(processes.arguments_of(int(sys.argv[2])))
except BrokerError as error:
    sys.exit(str(error))
"""
NO_PROC = "/no/such/folder"


def ask(proc: str, pid: int, path: str | None = None) -> subprocess.CompletedProcess[bytes]:
    """Return what is said of the process *pid*; *proc* stands in for /proc, *path* for where commands are."""
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)} | ({} if path is None else {"PATH": path})
    line = [sys.executable, "-c", ASK, proc, str(pid)]
    return subprocess.run(line, capture_output=True, env=environment, check=False)


@pytest.mark.parametrize("proc", ["/proc", NO_PROC], ids=["proc", "ps"])
def test_arguments_of_a_process_are_found(proc: str) -> None:
    """Expect the same answer by both ways, bytes that are no ASCII included."""
    with subprocess.Popen([sys.executable, "-c", "input()", "B\u00fcro"], stdin=subprocess.PIPE) as child:
        running = ask(proc, child.pid)
        child.kill()
    ended = ask(proc, child.pid)

    assert "B\u00fcro".encode() in running.stdout, running.stderr
    assert (ended.returncode, ended.stdout) == (0, b"")


def test_a_system_that_tells_nothing_is_a_clear_error(tmp_path: Path) -> None:
    """Expect one line that says what to install, where there is neither /proc nor ps."""
    done = ask(NO_PROC, os.getpid(), str(tmp_path))

    assert done.returncode == 1
    assert done.stderr == b"neither /proc nor ps is there to tell what runs; install ps (procps)\n"
