"""Fixtures and hooks for tests that need a real Apache Kafka.

    def test_something(real_kafka: RealKafka) -> None:     # a broker; KAFKA_BOOTSTRAP_SERVERS wins
    def test_something(own_kafka: OwnKafka) -> None:       # one that the test may freeze and kill

Asking for one marks the test slow. Where the broker cannot be had (no Java) such tests are left out and the end of the run says
so; with CI=true they fail instead, because nobody reads the end of a green run.
"""

import os
from collections.abc import Iterator

import pytest

from tests.router.kafka.real_kafka import OwnKafka, RealKafka, run_script

ADDRESS = "KAFKA_BOOTSTRAP_SERVERS"
NEEDS_ANY, NEEDS_OWN = "real_kafka", "own_kafka"

_left_out = pytest.StashKey[list[str]]()
_reason = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def started_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnKafka]:
    """The one broker of our own in this run, started when first needed; tests ask for `real_kafka` or `own_kafka`."""
    kafka = OwnKafka(tmp_path_factory.mktemp("kafka"))
    yield kafka
    kafka.close()


@pytest.fixture(scope="session")
def real_kafka(request: pytest.FixtureRequest) -> Iterator[RealKafka]:
    """A real broker, shared by the whole run: that of KAFKA_BOOTSTRAP_SERVERS if it is set, else our own."""
    address = os.environ.get(ADDRESS)
    kafka: RealKafka = RealKafka(address) if address else request.getfixturevalue("started_kafka")
    yield kafka
    if address:
        kafka.close()


@pytest.fixture
def own_kafka(started_kafka: OwnKafka) -> Iterator[OwnKafka]:
    """A real broker that the test may freeze, kill, stop and start; it is put right afterwards."""
    yield started_kafka
    started_kafka.restore()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Mark what needs a real broker as slow; leave out what is then still to run and cannot, unless this is CI."""
    for item in items:
        if _needs_kafka(item):
            item.add_marker("slow")
    result = yield
    needing = [item for item in items if _lacks_address(item)]
    if needing and os.environ.get("CI") != "true":
        done = run_script("check")
        if done.returncode:
            config.stash[_reason] = done.stderr.strip()
            items[:] = [item for item in items if item not in needing]
            config.hook.pytest_deselected(items=needing)
    return result


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Keep account of what is left out, by a marker or for want of a broker."""
    for item in items:
        if _needs_kafka(item):
            item.config.stash.setdefault(_left_out, []).append(item.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was not run, and why; a run that was narrowed by -k needs no such word unless a broker was missing."""
    count = len(config.stash.get(_left_out, []))
    reason = config.stash.get(_reason, None)
    if not count or (config.option.keyword and reason is None):
        return
    why = reason or "they are slow; `make check` runs them"
    terminalreporter.section("NOT RUN", sep="!", yellow=True, bold=True)
    terminalreporter.write_line(f"{count} of the tests that need a real Apache Kafka: {why}", yellow=True, bold=True)


def _needs_kafka(item: pytest.Item) -> bool:
    return bool({NEEDS_ANY, NEEDS_OWN} & set(getattr(item, "fixturenames", ())))


def _lacks_address(item: pytest.Item) -> bool:
    names = set(getattr(item, "fixturenames", ()))
    return NEEDS_OWN in names or (NEEDS_ANY in names and not os.environ.get(ADDRESS))
