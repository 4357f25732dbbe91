"""What the benchmarks share: the machine's facts, seeded events, a store of their own."""

import contextlib
import itertools
import os
import platform

import pytest

from millstream.handlers import EventConsumptionService, EventRepository, open_store
from millstream.handlers.cli.demo_events import make_events
from millstream.router import Message
from tests.handlers.cli.run.conftest import make_place
from tests.handlers.store.real_clickhouse import OwnClickHouse, RealClickHouse
from tests.router.kafka.real_kafka import OwnKafka, RealKafka

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
def make_payloads():
    """A function that makes the payloads of the first events of the seed."""
    return lambda count: [payload for _, payload in itertools.islice(make_events(SEED), count)]


@pytest.fixture(scope="session")
def make_messages():
    """A function that makes messages around the first events of the seed."""
    payloads = list(itertools.islice(make_events(SEED), 100_000))
    return lambda count: [Message(payload, uuid=uuid) for uuid, payload in payloads[:count]]


@pytest.fixture
def place(tmp_path_factory):
    """A topic and a table; the brokers and the server are those of KAFKA_BOOTSTRAP_SERVERS and CLICKHOUSE_URL, else our own."""
    folder = tmp_path_factory.mktemp("place")
    with contextlib.ExitStack() as stack:
        brokers, url = os.environ.get("KAFKA_BOOTSTRAP_SERVERS"), os.environ.get("CLICKHOUSE_URL")
        kafka = RealKafka(brokers) if brokers else OwnKafka(tmp_path_factory.mktemp("kafka"))
        stack.callback(kafka.close)
        clickhouse = RealClickHouse(url) if url else OwnClickHouse(tmp_path_factory.mktemp("clickhouse"))
        if not url:
            stack.callback(clickhouse.close)
        yield stack.enter_context(make_place(folder, kafka, clickhouse))


def pytest_report_header(config):
    """Say on what the numbers were measured."""
    return f"millstream benchmarks: {os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}"
