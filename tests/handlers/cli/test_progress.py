"""What a person sees while a command works: a display on a terminal, plain lines elsewhere."""

import io
import os
import pty
import re
import subprocess
import sys

import pytest

from millstream.handlers.cli.pipeline import Snapshot
from millstream.handlers.cli.progress import progress
from tests.handlers.cli.command_aids import command, environment, write_events


class Terminal(io.StringIO):
    """A stderr that somebody looks at."""

    def isatty(self):
        """Say so."""
        return True


def shown_for(part, monkeypatch):
    """Return what a terminal gets of a command of which *part* is done at its end."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress("work", lambda: Snapshot(7, 1, 2), lambda: part):
        pass
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sys.stderr.getvalue())


@pytest.mark.parametrize(
    ("part", "percent"), [(0.0, "0%"), (0.5, "50%"), (0.9999, "99%"), (1.0, "100%")], ids=["0", "half", "nearly", "all"]
)
def test_only_all_is_a_hundred_per_cent(part, percent, monkeypatch):
    """The last look is after the end, and does not round up."""
    shown = shown_for(part, monkeypatch)

    assert re.findall(r"[0-9]+%", shown)[-1] == percent
    assert ("100%" in shown) == (part == 1.0)
    assert "stored 7 poisoned 1 inserts 2" in shown


def test_the_result_is_the_command_s_to_say_where_no_terminal_is(capsys):
    """Else a script would read the same counts twice."""
    with progress("work", lambda: Snapshot(7, 1, 2), lambda: 1.0):
        pass

    assert capsys.readouterr() == ("", "")


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_demo_shows_its_progress_on_a_terminal(tmp_path):
    """The demo moves as well, and still ends with exit code 0."""
    code, shown = on_a_terminal(tmp_path, "demo", "--events", "5000")

    assert code == 0, shown
    assert "stored 5000 poisoned 0" in shown


@pytest.mark.slow
def test_publish_shows_no_hundred_per_cent_without_a_broker(tmp_path):
    """The file is read whole, and nothing of it is done."""
    write_events(tmp_path / "in.ndjson", 100)
    (tmp_path / "millstream.toml").write_text("[kafka]\ndelivery_timeout = 1.0\n[kafka.properties]\nlog_level = 0\n")
    code, shown = on_a_terminal(tmp_path, "publish", "in.ndjson", "--brokers", "127.0.0.1:1")

    assert code == 5, shown
    assert "confirmed 0 poisoned 0" in shown
    assert "100%" not in shown
