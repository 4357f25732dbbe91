"""Tables of events as they were, word for word: these texts never change with the code."""

V_0_1_0 = """\
CREATE TABLE {table}
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
    non_replicated_deduplication_window = 10000"""
"""That of Millstream 0.1.0."""

FLEXPRICE = """\
CREATE TABLE {table}
(
    id String NOT NULL,
    tenant_id String NOT NULL,
    external_customer_id String NOT NULL,
    environment_id String NOT NULL,
    event_name String NOT NULL,
    customer_id Nullable(String),
    source Nullable(String),
    timestamp DateTime64(3) NOT NULL DEFAULT now(),
    ingested_at DateTime64(3) NOT NULL DEFAULT now(),
    properties String,
    CONSTRAINT check_event_name CHECK event_name != '',
    CONSTRAINT check_tenant_id CHECK tenant_id != '',
    CONSTRAINT check_event_id CHECK id != '',
    CONSTRAINT check_environment_id CHECK environment_id != ''
)
ENGINE = ReplacingMergeTree(ingested_at)
PARTITION BY toYYYYMMDD(timestamp)
PRIMARY KEY (tenant_id, environment_id)
ORDER BY (tenant_id, environment_id, timestamp, id)
SETTINGS index_granularity = 16384, parts_to_delay_insert = 200, parts_to_throw_insert = 400,
    max_bytes_to_merge_at_max_space_in_pool = 5368709120"""
"""That of the first migration of FlexPrice, whose server may be in any zone."""

NEGLECTED = """\
CREATE TABLE {table}
(
    id String,
    tenant_id LowCardinality(String),
    environment_id String,
    event_name Nullable(String),
    timestamp DateTime64(3, 'Europe/Berlin'),
    ingested_at DateTime64(3, 'Europe/Berlin') DEFAULT now(),
    region String DEFAULT 'eu',
    CONSTRAINT known CHECK region IN ('eu', 'us')
)
ENGINE = ReplacingMergeTree(ingested_at)
PARTITION BY toYYYYMMDD(timestamp)
ORDER BY (tenant_id, environment_id, timestamp, id)
SETTINGS async_insert = 1"""
"""One that lacks much and has what must stay: its days are those of another zone."""

PLAIN = """\
CREATE TABLE {table}
(
    id String,
    tenant_id String,
    external_customer_id String,
    environment_id String,
    event_name String,
    customer_id Nullable(String),
    source Nullable(String),
    timestamp DateTime64(3, 'UTC'),
    properties String
)
ENGINE = MergeTree
ORDER BY (timestamp, id)"""
"""One that somebody has made by hand."""
