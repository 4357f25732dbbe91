"""What becomes of tests that need a real Apache Kafka where there is none, and what the end of the run says of it.

Asking for a broker marks a test slow. Where none can be had (no Java) such tests are left out and the end of the run says so;
with CI=true they fail instead, because nobody reads the end of a green run.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest

ADDRESS = "KAFKA_BOOTSTRAP_SERVERS"
NEEDS_ANY, NEEDS_OWN = "real_kafka", "own_kafka"
NOT_RUN = "tests that need a real Kafka and were not run"
"""The word under which a worker of pytest-xdist tells of them: it collects, and another process speaks to the terminal."""

_left_out = pytest.StashKey[list[str]]()
_reason = pytest.StashKey[str]()
_told = pytest.StashKey[tuple[int, str | None]]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Mark what needs a real broker as slow; leave out what is then still to run and cannot, unless this is CI."""
    for item in items:
        if _needs_kafka(item):
            item.add_marker("slow")
    result = yield
    # They take longest: begun first, they leave no worker alone with them in the end.
    items.sort(key=lambda item: not (_needs_kafka(item) or item.get_closest_marker("long")))
    needing = [item for item in items if _lacks_address(item)]
    if needing and os.environ.get("CI") != "true":
        # The client takes long to import: only a run that asks for a broker pays for it.
        from tests.router.kafka.real_kafka import run_script

        done = run_script("check")
        if done.returncode:
            config.stash[_reason] = done.stderr.strip()
            items[:] = [item for item in items if item not in needing]
            config.hook.pytest_deselected(items=needing)
    return result


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Keep account of what is left out, by a marker or for want of a broker; nobody misses a long form."""
    for item in items:
        if _needs_kafka(item) and item.get_closest_marker("soak") is None:
            item.config.stash.setdefault(_left_out, []).append(item.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a worker tell what it knows."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[NOT_RUN] = _account(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Note what a worker has told; all of them collect the same."""
    if NOT_RUN in getattr(node, "workeroutput", {}):
        node.config.stash[_told] = node.workeroutput[NOT_RUN]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was not run, and why; a run that was narrowed by -k needs no such word unless a broker was missing."""
    count, reason = config.stash.get(_told, _account(config))
    if not count or (config.option.keyword and reason is None):
        return
    why = reason or "they are slow; `make check` runs them"
    terminalreporter.section("NOT RUN", sep="!", yellow=True, bold=True)
    terminalreporter.write_line(f"{count} of the tests that need a real Apache Kafka: {why}", yellow=True, bold=True)


def _account(config: pytest.Config) -> tuple[int, str | None]:
    """Return how many tests were left out, and why if it was for want of a broker."""
    return len(config.stash.get(_left_out, [])), config.stash.get(_reason, None)


def _needs_kafka(item: pytest.Item) -> bool:
    return bool({NEEDS_ANY, NEEDS_OWN} & set(getattr(item, "fixturenames", ())))


def _lacks_address(item: pytest.Item) -> bool:
    names = set(getattr(item, "fixturenames", ()))
    return NEEDS_OWN in names or (NEEDS_ANY in names and not os.environ.get(ADDRESS))
