"""Fixtures for tests that need a real ClickHouse server, in any folder, and what becomes of them where there is none.

    def test_something(real_clickhouse: RealClickHouse) -> None:     # a server; CLICKHOUSE_URL wins
    def test_something(own_clickhouse: OwnClickHouse) -> None:       # one with the users and clusters that tests need
    def test_something(breakable_clickhouse: OwnClickHouse) -> None: # the same, which the test may freeze and kill
    def test_something(faulty_clickhouse: FaultServer) -> None:      # a door before own_clickhouse that fails INSERTs as told

With CLICKHOUSE_DOOR=1 our own server stands behind that door in every test; the door then does nothing by itself.

Asking for one marks a test slow. Where none can be had such tests are left out and the end of the run says so; with CI=true they
fail instead, because nobody reads the end of a green run.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from scripts.clickhouse_server.fault_server import FaultServer
    from tests.handlers.store.real_clickhouse import OwnClickHouse, RealClickHouse

ADDRESS, DOOR = "CLICKHOUSE_URL", "CLICKHOUSE_DOOR"
NEEDS_ANY, NEEDS_OWN = "real_clickhouse", "own_clickhouse"
NOT_RUN = "tests that need a real ClickHouse and were not run"
NOTHING = (0, "")

_left_out = pytest.StashKey[tuple[int, str]]()


@pytest.fixture(scope="session")
def own_clickhouse(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[OwnClickHouse]":
    """The one server of our own in this process, started when first needed."""
    from tests.handlers.store.real_clickhouse import OwnClickHouse

    server = OwnClickHouse(tmp_path_factory.mktemp("clickhouse"))
    with contextlib.ExitStack() as doors:
        if os.environ.get(DOOR):
            from scripts.clickhouse_server.fault_server import fault_server

            server.stand_behind(doors.enter_context(fault_server(server.url)).url)
        yield server
    server.close()


@pytest.fixture
def breakable_clickhouse(own_clickhouse: "OwnClickHouse") -> "Iterator[OwnClickHouse]":
    """The same one, for a test that freezes, kills, stops and starts it; it is put right afterwards."""
    yield own_clickhouse
    own_clickhouse.restore()


@pytest.fixture
def faulty_clickhouse(own_clickhouse: "OwnClickHouse") -> "Iterator[FaultServer]":
    """A door before our own server that does to INSERTs what it is told."""
    from scripts.clickhouse_server.fault_server import fault_server

    with fault_server(own_clickhouse.url) as server:
        yield server


@pytest.fixture(scope="session")
def real_clickhouse(request: pytest.FixtureRequest) -> "RealClickHouse":
    """A real server, shared by all tests: that of CLICKHOUSE_URL if it is set, else our own."""
    from tests.handlers.store.real_clickhouse import RealClickHouse

    address = os.environ.get(ADDRESS)
    return RealClickHouse(address) if address else request.getfixturevalue(NEEDS_OWN)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Mark what needs a real server as slow; leave out what is then still to run and cannot, unless this is CI."""
    for item in items:
        if {NEEDS_ANY, NEEDS_OWN} & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
    result = yield
    needing = [item for item in items if _lacks_address(item)]
    if needing and os.environ.get("CI") != "true":
        from tests.handlers.store.real_clickhouse import run_script

        done = run_script("check")
        if done.returncode:
            config.stash[_left_out] = (len(needing), done.stderr.strip())
            items[:] = [item for item in items if item not in needing]
            config.hook.pytest_deselected(items=needing)
    return result


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a worker of pytest-xdist tell what it knows: it collects, and another process speaks to the terminal."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[NOT_RUN] = session.config.stash.get(_left_out, NOTHING)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Note what a worker has told; all of them collect the same."""
    if NOT_RUN in getattr(node, "workeroutput", {}):
        node.config.stash[_left_out] = node.workeroutput[NOT_RUN]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was not run for want of a server."""
    count, reason = config.stash.get(_left_out, NOTHING)
    if count:
        terminalreporter.section("NOT RUN", sep="!", yellow=True, bold=True)
        words = f"{count} of the tests that need a real ClickHouse: {reason}"
        terminalreporter.write_line(words, yellow=True, bold=True)


def _lacks_address(item: pytest.Item) -> bool:
    names = set(getattr(item, "fixturenames", ()))
    return NEEDS_OWN in names or (NEEDS_ANY in names and not os.environ.get(ADDRESS))
