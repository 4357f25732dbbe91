"""What docs/where-is-my-event.md says beside its commands, which run in `test_console_blocks`."""

import re
import subprocess
import sys

import pytest

from millstream.handlers import Settings
from millstream.handlers.cli.run import run
from millstream.router import ExitCode, KafkaSubscriberConfig
from tests.docs.console import pages
from tests.guards.sources import ROOT
from tests.handlers.cli.command_aids import environment

PAGE = pages()["docs/where-is-my-event.md"]


def test_its_numbers_are_those_of_the_code():
    """How long a batch waits, when a warning comes, how often a service says how far it is."""
    interval = next(each.default for each in run.params if each.name == "interval")
    warn_after = KafkaSubscriberConfig(brokers=["b:1"], group_id="g").warn_after

    assert f"`flush_interval`, {Settings().batch.flush_interval:.0f} s" in PAGE
    assert f"in a line each {interval:.0f} s (`--interval`)" in PAGE.replace("\n", " ")
    assert f"after {warn_after:.0f} s, and who holds it" in PAGE.replace("\n", " ")


def test_its_exit_codes_are_those_of_the_commands():
    """Of what was not confirmed, and of what was set aside."""
    assert f"exit code {ExitCode.UNDRAINED:d} of `publish`" in PAGE
    assert re.search(rf"`<FILE>.poison.ndjson`, exit code {ExitCode.POISONED:d} ", PAGE)


@pytest.mark.parametrize("page", ["README.md", "docs/events.md", "docs/faults.md"])
def test_page_is_linked(page):
    """From where somebody looks who misses an event."""
    assert "where-is-my-event.md)" in pages()[page]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("brokers", "reason"),
    [("127.0.0.1:1", "the brokers do not answer: "), ("", "kafka.brokers")],
    ids=["away", "not given"],
)
def test_the_search_says_in_one_line_why_it_cannot_look(tmp_path, brokers, reason):
    """Instead of a traceback, or of the answer that there is nothing."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "find_event.py"), "e-17"],
        cwd=tmp_path,
        env=environment(MILLSTREAM_KAFKA__BROKERS=brokers) if brokers else environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert reason in done.stderr
