"""What the benchmarks share: the machine's facts, seeded events, a store of their own."""

import itertools
import os
import platform

import pytest

from millstream.handlers import EventConsumptionService, EventRepository, open_store
from millstream.handlers.cli.demo_events import make_events
from millstream.router import Message

SEED = 1


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """An embedded store for the whole run: a process can have one folder open."""
    store = open_store(f"chdb://{tmp_path_factory.mktemp('bench') / 'store'}")
    yield store
    store.close()


@pytest.fixture
def service(store):
    """A service on an empty events table."""
    repository = EventRepository(store, table="events")
    store.command("DROP TABLE IF EXISTS events SYNC")
    repository.create_table()
    return EventConsumptionService(repository)


@pytest.fixture(scope="session")
def make_messages():
    """A function that makes messages around the first events of the seed."""
    payloads = list(itertools.islice(make_events(SEED), 100_000))
    return lambda count: [Message(payload, uuid=uuid) for uuid, payload in payloads[:count]]


def pytest_report_header(config):
    """Say on what the numbers were measured."""
    return f"millstream benchmarks: {os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}"
