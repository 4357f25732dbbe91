"""A round of INSERTs that shows how an engine is set: what it answers to each, and what its tables and views hold afterwards."""

from collections.abc import Iterator, Mapping

from millstream.handlers.events import create_events_table
from millstream.handlers.store import Store
from millstream.router import MillstreamError

EVENT = b'{"id":"%s","tenant_id":"t","environment_id":"e","event_name":"n","timestamp":"2026-11-23T10:00:0%dZ"%s}'
WIDE = """\
CREATE TABLE {database}.wide
(
    id String, day Date, n UInt64, f Float64, text String, word String DEFAULT 'default', maybe Nullable(String) DEFAULT 'x',
    pair Tuple(x UInt8, y String), map Map(String, String), nest Nested(x UInt8), ip IPv4, ip6 IPv6, json JSON(a UInt8),
    time DateTime64(3, 'UTC'), short DateTime('UTC'),
    CONSTRAINT named CHECK id != ''
)
ENGINE = ReplacingMergeTree PARTITION BY day ORDER BY id SETTINGS non_replicated_deduplication_window = 100"""
WIDE_COLUMNS = (
    *("id", "day", "n", "f", "text", "word", "maybe", "pair", "map", "nest.x", "ip", "ip6", "json", "time", "short"),
)
VIEWS = {
    "counts": ("n UInt64", "count() AS n", ""),
    "groups": ("id String, n UInt64", "id, count() AS n", "GROUP BY id"),
}
"""By their target: its columns, and what a view selects from the events for it."""
WINDOW = "SETTINGS non_replicated_deduplication_window = 100"
BROKEN = (
    "CREATE TABLE {database}.readings (text String) ENGINE = MergeTree ORDER BY text",
    "CREATE TABLE {database}.numbers (x Float64) ENGINE = MergeTree ORDER BY x",
    "CREATE MATERIALIZED VIEW {database}.parsing TO {database}.numbers AS SELECT toFloat64(text) AS x FROM {database}.readings",
    "CREATE TABLE {database}.bereft (text String) ENGINE = MergeTree ORDER BY text",
    "CREATE TABLE {database}.gone (text String) ENGINE = MergeTree ORDER BY text",
    "CREATE MATERIALIZED VIEW {database}.pointing TO {database}.gone AS SELECT text FROM {database}.bereft",
    "DROP TABLE {database}.gone SYNC",
)
"""Tables with views that fail: on some rows, and on all as its target is gone."""
TABLES = ("wide", "events", *VIEWS, "readings", "numbers", "bereft")
ROWS = {
    "everything": b'{"id":"a","n":1,"text":"t","pair":{"x":1,"y":"b"},"map":{"a":"b"},"ip":"1.2.3.4","ip6":"::1","json":{"a":1}}',
    "object as text": b'{"id":"b","text":{"a":1}}',
    "array as text": b'{"id":"c","text":[1]}',
    "number as text": b'{"id":"d","text":1}',
    "boolean as text": b'{"id":"e","text":true}',
    "boolean as number": b'{"id":"f","n":true}',
    "tuple without an element": b'{"id":"g","pair":{"x":1}}',
    "tuple with one more": b'{"id":"h","pair":{"x":1,"y":"b","z":1}}',
    "nothing for a number": b'{"id":"i","n":""}',
    "nothing for a text": b'{"id":"I","word":""}',
    "half a pair": b'{"id":"j","text":"\\ud800"}',
    "unknown key": b'{"id":"l","unknown":1}',
    "deep value of an unknown key": b'{"id":"m","unknown":[[[[1]]]]}',
    "nested": b'{"id":"n","nest":{"x":[1,2]}}',
    "another case": b'{"ID":"o","id":"p","N":5}',
    "null for a default": b'{"id":"q","word":null,"maybe":null}',
    "omitted": b'{"id":"r"}',
    "no address": b'{"id":"s","ip":"nowhere"}',
    "no address of the new kind": b'{"id":"t","ip6":"nowhere"}',
    "number of many digits": b'{"id":"u","f":0.1234567890123456789e-20}',
    "inferred types": b'{"id":"k","json":{"b":["1",2],"c":"5"}}',
    "path twice": b'{"id":"v","json":{"b":1,"b":2}}',
    "wrong typed path": b'{"id":"w","json":{"a":"nothing"}}',
    "null typed path": b'{"id":"x","json":{"a":null}}',
    "time as a number": b'{"id":"y","time":1700000000}',
    "time with a zone": b'{"id":"z","time":"2026-11-23T10:00:00+05:30"}',
    "time out of range": b'{"id":"A","short":"2200-01-01T00:00:00Z","day":"2200-01-01"}',
    "one key twice": b'{"id":"B","text":"one"}\n{"id":"B","text":"two"}',
    "a bad row of three": b'{"id":"C"}\nnonsense\n{"id":"D"}',
    "a bad row at the end": b"\n".join(b'{"id":"E%d","day":"2026-01-0%d"}' % (n, n % 9 + 1) for n in range(60))
    + b"\nnonsense",
}
EVENTS = {
    "new": EVENT % (b"a", 1, b"") + b"\n" + EVENT % (b"b", 2, b',"properties":{"x":1}'),
    "again": EVENT % (b"a", 1, b"") + b"\n" + EVENT % (b"b", 2, b',"properties":{"x":1}'),
    "a key twice behind the last column": EVENT % (b"c", 3, b',"source":"s","properties":{},"id":"d"'),
    "in groups": b"\n".join(EVENT % (b"e%d" % (n % 5), n % 10, b"") for n in range(8)),
}
TOKENS = {"again": "new"}


def run_scenario(
    owner: Store, database: str, store: Store, settings: Mapping[str, str | int | float] | None = None
) -> dict[str, object]:
    """Create the tables in *database*, send the INSERTs, and return what came of each and what is stored.

    Args:
        owner: makes the tables and looks into them.
        store: sends the INSERTs.
        settings: sent with each in place of ours.
    """
    for statement in (*create_events_table(database, "events"), WIDE, *_views(), *BROKEN):
        owner.command(statement.format(database=database) if "{database}" in statement else statement)
    for table in TABLES:
        # What was written stays as it was written: a merge would be one more part.
        owner.command(f"SYSTEM STOP MERGES {database}.{table}")
    seen: dict[str, object] = {}
    columns = ("id", "tenant_id", "environment_id", "event_name", "timestamp", "source", "properties")
    broken = {"good": b'{"text":"1"}', "nonsense": b'{"text":"nonsense"}'}
    for table, chosen, blocks in (
        ("wide", WIDE_COLUMNS, ROWS),
        ("events", columns, EVENTS),
        ("readings", ("text",), broken),
        ("bereft", ("text",), broken),
    ):
        for name, block in blocks.items():
            token = f"{table}-{TOKENS.get(name, name)}"
            seen[f"{table}: {name}"] = _answer(store, f"`{database}`.`{table}`", chosen, block, token, settings)
    for table in TABLES:
        kept = "* EXCEPT (ingested_at)" if table == "events" else "*"
        rows = owner.query(f"SELECT toString(tuple({kept})) AS row FROM {database}.{table} ORDER BY row").rows
        seen[table] = [row for (row,) in rows]
    parts = f"SELECT table, count() FROM system.parts WHERE database = '{database}' GROUP BY table ORDER BY table"
    seen["parts"] = owner.query(parts).rows
    return seen


def _views() -> Iterator[str]:
    for target, (columns, select, group) in VIEWS.items():
        yield f"CREATE TABLE {{database}}.{target} ({columns}) ENGINE = MergeTree ORDER BY tuple() {WINDOW}"
        view = f"CREATE MATERIALIZED VIEW {{database}}.view_of_{target} TO {{database}}.{target}"
        yield f"{view} AS SELECT {select} FROM {{database}}.events {group}"


def _answer(store: Store, table: str, columns: tuple[str, ...], block: bytes, token: str, settings: object) -> str:
    try:
        store.insert_lines(table, columns, block, token, settings)
    except MillstreamError as error:
        return type(error).__name__
    return "stored"
