"""The events table, as text and in a real engine."""

from datetime import datetime

import pytest

from millstream.handlers.events.schema import DEDUPLICATION_WINDOW, EVENT_COLUMNS, create_events_table
from millstream.handlers.store.errors import DataError
from millstream.handlers.store.identifiers import quote_table
from millstream.handlers.store.protocols import Store
from millstream.router.errors import ConfigurationError
from tests.handlers.events.event_payloads import MISSING, make_payload


@pytest.fixture(name="events")
def events_fixture(chdb_store: Store, database: str) -> str:
    """Give the quoted name of an events table that was created twice."""
    for statement in create_events_table(database, "events") * 2:
        chdb_store.command(statement)
    return quote_table(database, "events")


@pytest.mark.parametrize(
    ("database", "table"),
    [
        pytest.param("a`; DROP DATABASE b; --", "events", id="SQL as a database"),
        pytest.param("default", "events`", id="a backtick in the table"),
        pytest.param("default", "", id="empty"),
    ],
)
def test_names_that_are_no_identifiers_are_refused(database: str, table: str) -> None:
    """Nothing but plain identifiers reaches the SQL."""
    with pytest.raises(ConfigurationError):
        create_events_table(database, table)


def test_an_insert_never_takes_the_ingestion_time() -> None:
    """A zero `ingested_at` in a payload must not decide which row stays."""
    assert "ingested_at" not in EVENT_COLUMNS


def test_every_time_column_is_in_utc(chdb_store: Store, database: str, events: str) -> None:
    """A row's day does not depend on the zone of the machine."""
    types = dict(
        chdb_store.query(
            f"SELECT name, type FROM system.columns WHERE database = '{database}' AND name IN ('timestamp', 'ingested_at')"
        ).rows
    )

    assert types == {"timestamp": "DateTime64(3, 'UTC')", "ingested_at": "DateTime64(3, 'UTC')"}


def test_the_engine_keeps_the_newest_row_and_a_deduplication_window(
    chdb_store: Store, database: str, events: str
) -> None:
    """Engine, key, partition and window are those the delivery contract is built on."""
    [(engine, partition, key, full)] = chdb_store.query(
        f"SELECT engine, partition_key, sorting_key, engine_full FROM system.tables WHERE database = '{database}'"
    ).rows

    assert (engine, partition) == ("ReplacingMergeTree", "toYYYYMMDD(timestamp)")
    assert key == "tenant_id, environment_id, timestamp, id"
    assert f"non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}" in full


def test_a_token_stored_before_inserts_nothing(chdb_store: Store, events: str) -> None:
    """The window works: a batch sent again under its token adds no row, even on plain counting."""
    for _ in range(2):
        chdb_store.insert_lines(events, EVENT_COLUMNS, make_payload(), "one-token")

    assert chdb_store.query(f"SELECT count() FROM {events}").rows == [(1,)]


def test_defaults_fill_what_a_payload_leaves_out(chdb_store: Store, events: str) -> None:
    """No properties are `{}`, and the ingestion time is the engine's own whatever the payload says."""
    line = make_payload(properties=MISSING, ingested_at="0001-01-01T00:00:00Z")
    chdb_store.insert_lines(events, EVENT_COLUMNS, line, "defaults")
    [(properties, ingested_at)] = chdb_store.query(f"SELECT properties, ingested_at FROM {events}").rows

    assert properties == "{}"
    assert ingested_at > datetime(2020, 1, 1)


@pytest.mark.parametrize("field", ["id", "tenant_id", "environment_id", "event_name"])
def test_an_empty_key_field_is_refused_by_the_table(chdb_store: Store, events: str, field: str) -> None:
    """The table's own constraints stand behind the checks at decode."""
    with pytest.raises(DataError):
        chdb_store.insert_lines(events, EVENT_COLUMNS, make_payload(**{field: ""}), f"empty-{field}")
