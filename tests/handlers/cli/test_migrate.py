"""`millstream migrate` on real stores: older tables become today's, and no row is lost."""

import contextlib
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from tests.handlers.cli.command_aids import good_lines, run
from tests.handlers.cli.embedded_place import Place
from tests.handlers.cli.main_in_process import run_main
from tests.handlers.cli.older_tables import FLEXPRICE, NEGLECTED, PLAIN, V_0_1_0
from tests.router.kafka.mock_cluster import MockCluster

TODAY = V_0_1_0
"""What `migrate` makes now; where it makes something else, a text of its own goes to `older_tables`."""
OLDER = [
    pytest.param(V_0_1_0, 0, 0, id="0.1.0"),
    pytest.param(FLEXPRICE, 7, 0, id="FlexPrice"),
    pytest.param(NEGLECTED, 15, 6, id="neglected"),
    pytest.param(PLAIN, 11, 5, id="by hand"),
]
ROWS = """\
INSERT INTO {table} (id, tenant_id, environment_id, event_name, timestamp) SETTINGS async_insert = 0, optimize_on_insert = 0
SELECT toString(number % 50), 'acme', 'prod', 'call', toDateTime64('2026-11-20 00:00:00', 3, 'UTC') + 3600 * (number % 50)
FROM numbers(60)"""
"""Rows of three days, ten of them twice; the last hour of a day in UTC is of the next one in Berlin."""


class Server:
    """An empty database of a real server."""

    def __init__(self, clickhouse, database, folder):
        self.database = database
        self.table = f"{database}.events"
        self.store = clickhouse.open()
        self.clickhouse = clickhouse
        self.folder = folder

    def migrate(self, *arguments, user=None):
        """Call the command and return its exit code."""
        return run_main(
            "migrate", "--store", self.clickhouse.address(user, self.database), *arguments, folder=self.folder
        )

    def shape(self):
        """Return everything that is written down about the table."""
        return self.store.query(f"SHOW CREATE TABLE {self.table}").rows

    def rows(self, where="1"):
        """Return what older columns hold, without anything merged, in order."""
        columns = "id, tenant_id, environment_id, event_name, toUnixTimestamp64Milli(timestamp)"
        return self.store.query(f"SELECT {columns} FROM {self.table} WHERE {where} ORDER BY ALL").rows


@pytest.fixture
def server(real_clickhouse, tmp_path):
    """The server, with an empty database."""
    with make_server(real_clickhouse, tmp_path) as made:
        yield made


@pytest.fixture
def own_server(own_clickhouse, tmp_path):
    """The same, with the users that tests need."""
    with make_server(own_clickhouse, tmp_path) as made:
        yield made


@contextlib.contextmanager
def make_server(clickhouse, folder):
    """Yield a server with an empty database, which is dropped at the end."""
    made = Server(clickhouse, clickhouse.create_database(), folder)
    with contextlib.closing(made.store):
        yield made
    clickhouse.drop_database(made.database)


def days_of(rows):
    """Return the conditions by which somebody asks for a day, and how many of *rows* each has."""
    day = 86_400_000
    return {
        f"toDate(timestamp, 'UTC') = toDate({number})": sum(row[4] // day == number for row in rows)
        for number in {row[4] // day for row in rows}
    }


@pytest.mark.parametrize(("older", "changes", "drift"), OLDER)
def test_an_older_table_becomes_todays_without_losing_a_row(server, capsys, older, changes, drift):
    """Expect the dry run to change nothing and to print what the run does, which a second one has nothing to add to.

    Every row is there and is found, also by its day, which partitions are looked up by; and events can be stored.
    """
    server.store.command(older.format(table=server.table))
    server.store.command(f"SYSTEM STOP MERGES {server.table}")
    server.store.command(ROWS.format(table=server.table))
    before, shape = server.rows(), server.shape()
    assert len(before) == 60
    by_day = days_of(before)
    by_partition = server.store.query(f"SELECT toYYYYMMDD(timestamp), count() FROM {server.table} GROUP BY 1").rows

    assert server.migrate("--dry-run") == 0
    dry = capsys.readouterr()
    assert (server.rows(), server.shape()) == (before, shape)
    assert server.migrate() == 0
    done, after = capsys.readouterr(), server.shape()
    assert server.migrate() == 0
    again = capsys.readouterr()

    assert dry.out == done.out
    assert dry.err == "millstream: a dry run: nothing is changed\n"
    assert done.out.splitlines()[2] == f"table {server.table}: was there"
    assert [line for line in done.out.splitlines() if ": ALTER TABLE " not in line] == again.out.splitlines()
    assert server.shape() == after
    assert server.rows() == before
    assert {where: len(server.rows(where)) for where in by_day} == by_day
    assert all(len(server.rows(f"toYYYYMMDD(timestamp) = {day}")) == count for day, count in by_partition)
    assert (done.out.count(": ALTER TABLE "), done.out.count("left as ")) == (changes, drift)
    (server.folder / "new.ndjson").write_bytes(b"\n".join(good_lines(20)))
    stored = run_main(
        "ingest", "new.ndjson", "--store", server.clickhouse.address(database=server.database), folder=server.folder
    )
    assert stored == 0, capsys.readouterr().err
    assert len(server.rows()) == len(before) + 20


def test_what_is_made_is_the_table_of_today(server, capsys):
    """Expect a dry run to print the same, and the frozen text of today's table to be no different."""
    assert server.migrate("--dry-run") == 0
    dry = capsys.readouterr().out
    assert server.migrate() == 0
    done, made = capsys.readouterr().out, server.shape()
    server.store.command(f"DROP TABLE {server.table}")
    server.store.command(TODAY.format(table=server.table))

    assert dry == done
    assert done.splitlines()[2] == f"table {server.table}: created"
    assert "    CREATE TABLE IF NOT EXISTS" in done
    assert server.shape() == made


def test_who_may_only_read_gets_one_line(own_server, capsys):
    """Expect exit code 2 for a run, with what was not done, and a dry run for anybody."""
    own_server.store.command(FLEXPRICE.format(table=own_server.table))
    shape = own_server.shape()
    codes = [own_server.migrate("--dry-run", user="reader")]
    dry = capsys.readouterr().out
    codes.append(own_server.migrate(user="reader"))
    out, err = capsys.readouterr()

    assert codes == [0, 2]
    assert out == "".join(dry.splitlines(keepends=True)[:3])
    assert err.count("\n") == 1
    assert err.startswith(f"millstream: not done: table {own_server.table}: column timestamp shown in UTC: ")
    assert "Not enough privileges" in err
    assert own_server.shape() == shape


def test_another_kind_of_table_is_not_touched(server, capsys):
    """Expect exit code 2, and what to set."""
    server.store.command(f"CREATE TABLE {server.table} (id String, name String) ENGINE = MergeTree ORDER BY id")
    shape = server.shape()
    codes = [server.migrate("--dry-run"), server.migrate()]

    assert codes == [2, 2]
    assert "it has no column tenant_id, environment_id, timestamp" in capsys.readouterr().err
    assert server.shape() == shape


def test_a_store_that_is_away_is_one_line(tmp_path, capsys):
    """Expect its address and exit code 2; nobody listens on port 1."""
    code = run_main("migrate", "--store", "http://127.0.0.1:1/usage", folder=tmp_path)
    out, err = capsys.readouterr()

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "cannot reach http://127.0.0.1:1/usage" in err


@pytest.mark.parametrize(
    "option",
    ["--brokers=x:1", "--partitions=6", "--dlq-partitions=3", "--replication-factor=3", "--dlq-retention-days=30"],
)
def test_options_of_topics_need_topics(tmp_path, capsys, option):
    """Expect wrong usage, so that nobody believes topics were made."""
    code = run_main("migrate", option, folder=tmp_path)

    assert code == 2
    assert f"{option.partition('=')[0]} has no effect without --topics" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_older_table_of_a_folder_becomes_todays(place: Place, capsys) -> None:
    """The same for an embedded store; what it says is the same, twice, and its rows stay."""
    table = f"{place.database}.events"
    place.store.command(FLEXPRICE.format(table=table))
    place.store.command(f"SYSTEM STOP MERGES {table}")
    place.store.command(ROWS.format(table=table))
    codes = [place.run("migrate", "--dry-run"), place.run("query", f"SELECT count() FROM {table}")]
    dry, _, counted = capsys.readouterr().out[:-1].rpartition("\n")
    codes += [
        place.run("migrate"),
        place.run("migrate", "--dry-run"),
        place.run("query", f"SELECT count() FROM {table}"),
    ]
    out = capsys.readouterr().out

    assert codes == [0] * 5
    assert (counted, out.splitlines()[-1]) == ("60", "60")
    assert out.startswith(dry)
    assert (dry.count("ALTER"), out.count("ALTER")) == (7, 7)


@pytest.mark.slow
def test_nothing_is_changed_before_everything_was_looked_at(place: Place, mock_cluster: MockCluster, capsys) -> None:
    """Brokers that refuse us leave the store without a table; one line, exit code 2."""
    mock_cluster.set_topic_error("events", KafkaError.TOPIC_AUTHORIZATION_FAILED)
    code = place.run("migrate", "--topics", "--brokers", mock_cluster.bootstrap_servers)
    out, err = capsys.readouterr()
    tables = place.store.query(f"SELECT name FROM system.tables WHERE database = '{place.database}'").rows

    assert (code, out, err.count("\n"), tables) == (2, "", 1, [])
    assert "topic 'events' cannot be looked at" in err


@pytest.mark.slow
def test_migrate_makes_folder_and_database(tmp_path: Path) -> None:
    """In an empty folder a dry run makes nothing, a run everything; what is then queried is that database, here from stdin."""
    dry = run("migrate", "--dry-run", cwd=tmp_path, MILLSTREAM_CLICKHOUSE__DATABASE="usage")
    is_empty = not list(tmp_path.iterdir())
    made = run("migrate", cwd=tmp_path, MILLSTREAM_CLICKHOUSE__DATABASE="usage")
    sql = b"SELECT count()\nFROM events FINAL;\n"
    counted = run("query", "-", cwd=tmp_path, stdin=sql, MILLSTREAM_CLICKHOUSE__DATABASE="usage")

    assert made.stdout.decode().splitlines()[:3] == [
        "store chdb://millstream-data",
        "database usage: created: CREATE DATABASE IF NOT EXISTS `usage`",
        "table usage.events: created",
    ]
    assert (made.returncode, made.stderr) == (0, b"")
    assert (is_empty, dry.returncode, dry.stdout) == (True, 0, made.stdout)
    assert (counted.returncode, counted.stdout, counted.stderr) == (0, b"0\n", b"")
