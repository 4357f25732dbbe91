"""What tests of several rooms share."""

import gc
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from millstream.handlers.store.protocols import Store

pytest_plugins = [
    "tests.guards.last_look",
    "tests.hang_watch",
    "tests.log_fixtures",
    "tests.router.kafka.not_run",
    "tests.router.kafka.real_kafka_fixtures",
    "tests.handlers.store.real_clickhouse_fixtures",
]
"""`last_look` and `not_run` speak for the whole run, and so where it has its terminal: with xdist that process collects nothing.

The others would start a broker or a server for each conftest that imported its fixtures.
"""

# While tests are collected only ever more is kept: to look for garbage takes a fifth of that time.
gc.disable()

# No deadline for an example: how long one takes is the machine's affair. `make soak` takes the thorough profile.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=20)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("quick")

_numbers = itertools.count(1)


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out the slow ones
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count whatever asks for the real engine as slow: each worker that gets one such test loads it, for seconds."""
    for item in items:
        if "chdb_store" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """Let the garbage collector work again, but pass over what stays to the end: modules, and thousands of tests."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()


@pytest.fixture(scope="session")
def chdb_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one chDB folder that this test process can have open."""
    return tmp_path_factory.mktemp("chdb") / "store"


@pytest.fixture(scope="session")
def chdb_store(chdb_folder: Path) -> "Iterator[Store]":
    """An embedded store, open for the whole test process."""
    # chDB takes half a second to load: only tests that ask for it pay for it.
    from millstream.handlers.store.client import open_store

    store = open_store(f"chdb://{chdb_folder}")
    yield store
    store.close()


@pytest.fixture
def database(chdb_store: "Store") -> Iterator[str]:
    """The name of a new, empty database in the embedded store, dropped when the test is over."""
    name = f"test_{next(_numbers)}"
    chdb_store.command(f"CREATE DATABASE `{name}`")
    yield name
    chdb_store.command(f"DROP DATABASE `{name}` SYNC")
