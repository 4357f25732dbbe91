"""The table that events are kept in: FlexPrice's, with every time in UTC and a deduplication window."""

from millstream.handlers.store.identifiers import quote_identifier, quote_table

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

_TABLE = """\
CREATE TABLE IF NOT EXISTS {table}
(
    id String,
    tenant_id String,
    external_customer_id String,
    environment_id String,
    event_name String,
    customer_id Nullable(String),
    source Nullable(String),
    timestamp DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    properties String DEFAULT '{{}}',
    CONSTRAINT check_event_name CHECK event_name != '',
    CONSTRAINT check_tenant_id CHECK tenant_id != '',
    CONSTRAINT check_event_id CHECK id != '',
    CONSTRAINT check_environment_id CHECK environment_id != '',
    INDEX bf_external_customer_id external_customer_id TYPE bloom_filter GRANULARITY 8192,
    INDEX set_event_name event_name TYPE set(0) GRANULARITY 8192,
    INDEX set_source source TYPE set(0) GRANULARITY 8192
)
ENGINE = ReplacingMergeTree(ingested_at)
PARTITION BY toYYYYMMDD(timestamp)
PRIMARY KEY (tenant_id, environment_id)
ORDER BY (tenant_id, environment_id, timestamp, id)
SETTINGS index_granularity = 16384,
    parts_to_delay_insert = 200,
    parts_to_throw_insert = 400,
    max_bytes_to_merge_at_max_space_in_pool = 5368709120,
    non_replicated_deduplication_window = {window}"""


def create_events_table(database: str, table: str) -> list[str]:
    """Give the statements that create the database and the table, in order; what exists already is left as it is.

    Raises:
        ConfigurationError: one of the names is no identifier.
    """
    return [
        f"CREATE DATABASE IF NOT EXISTS {quote_identifier(database)}",
        _TABLE.format(table=quote_table(database, table), window=DEDUPLICATION_WINDOW),
    ]
