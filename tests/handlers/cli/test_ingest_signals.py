"""How `millstream ingest` ends when it is told to, whatever it is doing."""

import signal
import subprocess

import pytest

from tests.handlers.cli.command_aids import TIMEOUT, command, environment, make_payload, run, write_events

pytestmark = pytest.mark.slow  # a process for each command, with a store to open


def start_reading_stdin(folder):
    """Start an ingest of a stdin that gets one event and stays open; returns it when the event is stored."""
    process = subprocess.Popen(
        command("ingest", "-"), cwd=folder, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    process.stdin.write(make_payload() + b"\n")
    process.stdin.flush()
    while not process.stderr.readline().startswith(b"stored 1 "):
        assert process.poll() is None
    return process


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_for_stdin(tmp_path, signum):
    """A producer that is silent and stays does not keep the ingest from ending in order."""
    process = start_reading_stdin(tmp_path)
    process.send_signal(signum)
    try:
        process.wait(TIMEOUT)
    finally:
        process.kill()
        _, err = process.communicate()

    assert process.returncode == 5
    assert b"are neither stored nor set aside; run the same command again" in err


def test_a_signal_ends_an_input_without_lines(tmp_path):
    """Where nothing is handed over, a signal is heard all the same."""
    process = subprocess.Popen(command("ingest", "/dev/zero"), cwd=tmp_path, stderr=subprocess.PIPE, env=environment())
    assert process.stderr.readline().startswith(b"stored 0 ")
    process.terminate()
    try:
        process.wait(TIMEOUT)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == 5


def wait_for_line(process, text):
    """Read the stderr of *process* up to a line with *text*."""
    assert any(text in line for line in process.stderr)


@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.15, 0.2])
def test_a_second_signal_ends_at_once_and_in_order(tmp_path, seconds):
    """Wherever an INSERT is, two signals end the process with 128 + number: no engine is closed under an INSERT."""
    write_events(tmp_path / "in.ndjson", 200_000)
    process = subprocess.Popen(
        command("ingest", "in.ndjson", "--log-level", "INFO"), cwd=tmp_path, stderr=subprocess.PIPE, env=environment()
    )
    wait_for_line(process, b"batch flush successful")
    wait_for_line(process, b"batch flush triggered")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.send_signal(signal.SIGINT)
    wait_for_line(process, b"closing on a signal")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=TIMEOUT)

    assert process.returncode == 128 + signal.SIGTERM


def test_a_close_time_out_of_nothing_is_enough_when_everything_is_stored(tmp_path):
    """A run that settled every line is clean, however little time its threads get to end."""
    (tmp_path / "in.ndjson").write_bytes(make_payload())
    done = run("ingest", "in.ndjson", cwd=tmp_path, MILLSTREAM_ROUTER__CLOSE_TIMEOUT="0")

    assert done.returncode == 0, done.stderr
