"""A place for one service to work in: real Kafka, real ClickHouse, an empty table."""

import contextlib
import re

import pytest

from millstream.handlers.events import create_events_table
from tests.handlers.cli.run.service_process import Place


@pytest.fixture
def place(tmp_path, real_kafka, real_clickhouse):
    """Topics and an empty table that nobody else has; its settings are written by the test."""
    with make_place(tmp_path, real_kafka, real_clickhouse) as made:
        yield made


@pytest.fixture
def breakable_place(tmp_path, real_kafka, breakable_clickhouse):
    """The same on a server that the test may freeze and kill."""
    with make_place(tmp_path, real_kafka, breakable_clickhouse) as made:
        yield made
        breakable_clickhouse.restore()


@contextlib.contextmanager
def make_place(folder, kafka, clickhouse):
    """Yield a place with an empty table, which is dropped at the end."""
    database = clickhouse.create_database()
    with contextlib.closing(clickhouse.open()) as store:
        for statement in create_events_table(database, "events"):
            # A repeated row is there twice, however long the test looks.
            store.command(re.sub(r"ReplacingMergeTree\([^)]*\)", "MergeTree", statement))
    yield Place(folder, kafka, clickhouse, database)
    clickhouse.drop_database(database)
