"""Somewhere for `doctor` to look at: topics, a group and a table on real servers, that nobody else has."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from millstream.handlers.events import create_events_table
from tests.handlers.cli.main_in_process import run_main
from tests.router.kafka.real_kafka import unique

SETTINGS = """\
[kafka]
brokers = ["{brokers}"]
{kafka}
[clickhouse]
dsn = "{dsn}"
[event_processing]
topic = "{topic}"
topic_dlq = "{dlq}"
consumer_group = "{group}"
[event_processing_lazy]
enabled = false
{more}
"""


@dataclass
class Place:
    """What the settings name, all of it well to begin with."""

    folder: Path
    brokers: str
    dsn: str
    database: str
    topic: str
    dlq: str
    group: str = field(default_factory=lambda: unique("group"))
    kafka: str = ""
    more: str = ""

    def doctor(self, capsys, *arguments):
        """Write the settings and run `doctor`; returns its exit code and its lines, and sees that nothing else was said."""
        text = SETTINGS.format_map(vars(self))
        (self.folder / "millstream.toml").write_text(text)
        capsys.readouterr()
        code = run_main("doctor", *arguments, folder=self.folder)
        out, err = capsys.readouterr()
        assert err == ""
        return code, out.splitlines()


@pytest.fixture
def place(tmp_path, real_kafka, own_clickhouse):
    """Everything as it should be."""
    database = own_clickhouse.create_database()
    with contextlib.closing(own_clickhouse.open()) as store:
        for statement in create_events_table(database, "events"):
            store.command(statement)
    yield Place(
        tmp_path,
        real_kafka.bootstrap_servers,
        own_clickhouse.address(database=database),
        database,
        real_kafka.create_topic(2),
        real_kafka.create_topic(),
    )
    own_clickhouse.drop_database(database)


@pytest.fixture
def admin(own_clickhouse):
    """Run statements with all rights."""
    with contextlib.closing(own_clickhouse.open()) as store:
        yield store
