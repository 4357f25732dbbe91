"""Running the command line in a process of its own: a chDB folder belongs to one process."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

from millstream.handlers.cli.demo_events import make_events
from tests.handlers.events.event_payloads import MISSING, make_payload, make_raw

TIMEOUT = 120.0
ROOT = Path(__file__).parents[3]
"""First on the path of a child, so that it runs the tree that these tests stand in."""


def environment(**more):
    """Return the environment of a child: nothing of this one's settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MILLSTREAM_")}
    return {**kept, "PYTHONWARNINGS": "error::UserWarning", "PYTHONPATH": str(ROOT), **more}


def command(*arguments):
    """Return the command line for *arguments*."""
    return [sys.executable, "-m", "millstream", *map(str, arguments)]


def run(*arguments, cwd, stdin=None, timeout=TIMEOUT, **env):
    """Run `millstream` with *arguments* in the folder *cwd*."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        input=stdin,
        capture_output=True,
        timeout=timeout,
        env=environment(**env),
        check=False,
    )


def query(sql, *, cwd, store=None):
    """Return what `millstream query` prints, as text."""
    options = [] if store is None else ["--store", store]
    done = run("query", sql, "--format", "tsv", *options, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


def poison_records(path):
    """Return the records of a poison file."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def write_events(path, count, seed=1):
    """Write *count* made-up events to *path*."""
    with path.open("wb") as file:
        for _, payload in itertools.islice(make_events(seed), count):
            file.write(payload + b"\n")


def good_lines(count):
    """Return *count* valid lines."""
    return [make_payload(id=f"good-{number}") for number in range(count)]


__all__ = [
    "MISSING",
    "command",
    "environment",
    "good_lines",
    "make_payload",
    "make_raw",
    "poison_records",
    "query",
    "run",
    "write_events",
]
