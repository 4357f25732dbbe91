"""What a person sees while a command works: a display on a terminal, plain lines elsewhere."""

import os
import pty
import re
import subprocess

import pytest

from tests.handlers.cli.command_aids import command, environment, write_events

pytestmark = pytest.mark.slow


def on_a_terminal(folder, *arguments):
    """Run `millstream` with a terminal for stderr; returns its exit code and what the terminal got."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment(TERM="xterm", COLUMNS="120"),
    )
    os.close(theirs)
    shown = b""
    try:
        while more := os.read(ours, 65536):
            shown += more
    except OSError:  # what Linux says when the other end is closed
        pass
    process.communicate(timeout=60)
    os.close(ours)
    return process.returncode, re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", shown).decode()


@pytest.mark.parametrize("source", ["file", "pipe"])
def test_a_terminal_gets_a_moving_display_with_counts(tmp_path, source):
    """The display shows the counts and the rate, with a part of the whole where the size is known."""
    write_events(tmp_path / "in.ndjson", 20_000)
    os.mkfifo(tmp_path / "pipe")
    writer = subprocess.Popen(["sh", "-c", "cat in.ndjson > pipe"], cwd=tmp_path)
    code, shown = on_a_terminal(tmp_path, "ingest", "in.ndjson" if source == "file" else "pipe")
    writer.kill()
    writer.wait(10)

    assert code == 0, shown
    assert re.search(r"stored 20000 poisoned 0 inserts \d+ +[\d,]+ events/s", shown)
    assert ("100%" in shown) == (source == "file")


def test_the_demo_shows_its_progress_on_a_terminal(tmp_path):
    """The demo moves as well, and still ends with exit code 0."""
    code, shown = on_a_terminal(tmp_path, "demo", "--events", "5000")

    assert code == 0, shown
    assert "stored 5000 poisoned 0" in shown
