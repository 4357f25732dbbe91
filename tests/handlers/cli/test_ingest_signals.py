"""How `millstream ingest` ends when it is told to, whatever it is doing."""

import os
import re
import signal
import subprocess

import pytest

from millstream.handlers.cli.event_files import EventFiles
from millstream.handlers.cli.ingest import Ingest
from millstream.handlers.cli.pipeline import LocalPipeline
from millstream.handlers.settings.sections import ClickHouseConfig, Settings
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
    assert b"interrupted; run the same command again" in err


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


class InterruptedPipeline(LocalPipeline):
    """Is told to end once it has the first messages."""

    def publish(self, messages):
        """Take them, and interrupt the process."""
        super().publish(messages)
        os.kill(os.getpid(), signal.SIGTERM)
        return False


def test_what_an_interrupted_run_says_adds_up(tmp_path, monkeypatch, capsys, chdb_store, chdb_folder, database):
    """Each line that was read is stored, set aside, or said to be neither."""
    monkeypatch.setattr("millstream.handlers.cli.ingest.LocalPipeline", InterruptedPipeline)
    write_events(tmp_path / "in.ndjson", 1500)
    settings = Settings(clickhouse=ClickHouseConfig(dsn=f"chdb://{chdb_folder}", database=database))
    code = Ingest(settings, chdb_store, EventFiles([str(tmp_path / "in.ndjson")], None, None)).run()
    err = capsys.readouterr().err
    [(stored, lines)] = re.findall(r"^stored (\d+) poisoned 0 inserts \d+ lines (\d+) ", err, re.MULTILINE)
    [left] = re.findall(r"interrupted, (\d+) lines that were read are neither", err)

    assert code == 5
    assert int(stored) + int(left) == int(lines) == 1500
