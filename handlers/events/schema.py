"""The table that events are kept in: FlexPrice's, with every time in UTC and a deduplication window."""

from millstream.handlers.store.identifiers import quote_identifier, quote_table
from millstream.handlers.store.table_shape import ColumnShape, IndexShape, TableShape

EVENT_COLUMNS = (
    "id",
    "external_customer_id",
    "customer_id",
    "tenant_id",
    "event_name",
    "timestamp",
    "source",
    "properties",
    "environment_id",
)
"""What an insert takes from a payload. Never `ingested_at`: it chooses which of two equal rows stays, and Go producers send
a zero time in it."""

DEDUPLICATION_WINDOW = 10_000
"""How many inserted blocks the table remembers the token of.

An insert makes one block per day it holds. 10,000, the engine's own default for replicated tables, are 100 inserts over 100
days each, the widest possible, or almost three hours at one insert a second of a single day. It is a bound, not for ever: an
insert whose outcome stays unknown for longer has to be read back. Measured: 60 bytes of disk a block, and no difference in
the time of an insert between windows of 100, 1,000 and 10,000 (the last filled to 2,400).
"""

EVENTS_TABLE = TableShape(
    columns=(
        ColumnShape("id", "String"),
        ColumnShape("tenant_id", "String"),
        ColumnShape("external_customer_id", "String"),
        ColumnShape("environment_id", "String"),
        ColumnShape("event_name", "String"),
        ColumnShape("customer_id", "Nullable(String)"),
        ColumnShape("source", "Nullable(String)"),
        ColumnShape("timestamp", "DateTime64(3, 'UTC')", "now64(3, 'UTC')"),
        ColumnShape("ingested_at", "DateTime64(3, 'UTC')", "now64(3, 'UTC')"),
        ColumnShape("properties", "String", "'{}'"),
    ),
    constraints={
        "check_event_name": "event_name != ''",
        "check_tenant_id": "tenant_id != ''",
        "check_event_id": "id != ''",
        "check_environment_id": "environment_id != ''",
    },
    indexes={
        "bf_external_customer_id": IndexShape("external_customer_id", "bloom_filter", 8192),
        "set_event_name": IndexShape("event_name", "set(0)", 8192),
        "set_source": IndexShape("source", "set(0)", 8192),
    },
    engine="ReplacingMergeTree",
    version="ingested_at",
    partition_key="toYYYYMMDD(timestamp)",
    primary_key="tenant_id, environment_id",
    sorting_key="tenant_id, environment_id, timestamp, id",
    settings={
        "index_granularity": 16384,
        "parts_to_delay_insert": 200,
        "parts_to_throw_insert": 400,
        "max_bytes_to_merge_at_max_space_in_pool": 5368709120,
    },
    deduplication_window=DEDUPLICATION_WINDOW,
)
"""Older tables are brought to this by `millstream migrate`."""


def create_database(database: str) -> str:
    """Give the statement that creates the database where there is none.

    Raises:
        ConfigurationError: the name is no identifier.
    """
    return f"CREATE DATABASE IF NOT EXISTS {quote_identifier(database)}"


def create_events_table(database: str, table: str) -> list[str]:
    """Give the statements that create the database and the table, in order; what exists already is left as it is.

    Raises:
        ConfigurationError: one of the names is no identifier.
    """
    return [create_database(database), EVENTS_TABLE.create(quote_table(database, table))]
