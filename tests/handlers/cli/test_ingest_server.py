"""`millstream ingest` into a real server: its profiles, its views, its clusters."""

import contextlib
import signal
import subprocess

import pytest

from tests.handlers.cli.command_aids import TIMEOUT, command, environment, make_payload, make_raw, run
from tests.handlers.store.real_clickhouse import DOWN


@pytest.fixture
def database(real_clickhouse):
    """A new, empty database on the server."""
    name = real_clickhouse.create_database()
    yield name
    real_clickhouse.drop_database(name)


@pytest.fixture
def store(real_clickhouse):
    """The store of a user whom nothing limits."""
    with contextlib.closing(real_clickhouse.open()) as opened:
        yield opened


def write(path, *lines):
    """Write *lines* to a file and return it."""
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_profile_that_skips_errors_loses_no_event(own_clickhouse, database, store, tmp_path):
    """Events that the engine does not read as they came are stored as well, and what counts as stored is in the table."""
    lines = [
        make_payload(id="as it comes"),
        make_raw(id=b'"lower-case zone"', timestamp=b'"2026-11-23T10:00:01z"'),
        make_raw(id=b'"lower-case t"', timestamp=b'"2026-11-23t10:00:02Z"'),
        make_raw(id=b'"twice", "source": "a"', source=b'"b"'),
    ]
    run("migrate", "--store", own_clickhouse.address(database=database), cwd=tmp_path)

    done = run(
        "ingest",
        write(tmp_path / "events.ndjson", *lines),
        "--store",
        own_clickhouse.address("hostile", database),
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stderr
    assert b"stored 4 poisoned 0" in done.stderr + done.stdout
    assert store.query(f"SELECT count() FROM {database}.events").rows == [(4,)]


def test_locked_setting_is_a_matter_of_configuration(own_clickhouse, database, tmp_path):
    """One line that names the setting and what it must be, before anything is read."""
    run("migrate", "--store", own_clickhouse.address(database=database), cwd=tmp_path)

    done = run(
        "ingest",
        write(tmp_path / "events.ndjson", make_payload()),
        "--store",
        own_clickhouse.address("locked", database),
        cwd=tmp_path,
    )

    assert done.returncode == 2
    assert b"async_insert is 1, must be 0" in done.stderr


def test_view_that_fails_halts_and_poisons_nothing(real_clickhouse, database, store, tmp_path):
    """Every good event and the one that the view cannot read are in the table, once; the view is named, the exit code 4."""
    address = real_clickhouse.address(database=database)
    run("migrate", "--store", address, cwd=tmp_path)
    store.command(f"CREATE TABLE {database}.sums (x Float64) ENGINE = MergeTree ORDER BY x")
    view = f"CREATE MATERIALIZED VIEW {database}.summing TO {database}.sums"
    store.command(
        f"{view} AS SELECT sum(toFloat64(JSONExtractString(properties, 'amount'))) AS x FROM {database}.events"
    )
    amounts = ["1"] * 5 + ["hush"] + ["1"] * 5
    lines = [make_payload(id=str(number), properties={"amount": amount}) for number, amount in enumerate(amounts)]

    done = run(
        "ingest",
        write(tmp_path / "events.ndjson", *lines),
        "--store",
        address,
        cwd=tmp_path,
        MILLSTREAM_BATCH__HALT_AFTER="1",
    )

    assert done.returncode == 4, done.stderr
    assert f"the view {database}.summing raised CANNOT_PARSE_".encode() in done.stderr
    assert b"hush" not in done.stderr
    assert b"poisoned 0" in done.stderr
    assert store.query(f"SELECT count(), uniqExact(id) FROM {database}.events").rows == [(11, 11)]


def test_shard_that_is_down_is_an_outage(own_clickhouse, database, store, tmp_path):
    """Nothing counts as stored, nothing is poisoned; what has waited long enough ends undrained, to be repeated."""
    run("migrate", "--store", own_clickhouse.address(database=database), cwd=tmp_path)
    store.command(
        f"CREATE TABLE {database}.front AS {database}.events ENGINE = Distributed('{DOWN}', '{database}', 'events')"
    )

    write(tmp_path / "events.ndjson", make_payload())
    process = subprocess.Popen(
        command("ingest", "events.ndjson", "--store", own_clickhouse.address(database=database)),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        env=environment(MILLSTREAM_CLICKHOUSE__TABLE="front", MILLSTREAM_ROUTER__CLOSE_TIMEOUT="0.5"),
    )
    assert any(b"it will be tried again" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT)

    assert process.returncode == 5
    assert b"stored 0 poisoned 0" in err
    assert store.query(f"SELECT count() FROM {database}.events").rows == [(0,)]
