#!/usr/bin/env bash
# What clickhouse-connect inserts as 0, without an error: a name that an Enum has not, and None where a column is not Nullable.
#
# Seen with clickhouse-connect 1.12.0 and chDB 4.4.0 (ClickHouse 26.9).
#
# A row with 'lost' for Enum8('new' = 1, 'done' = 2), beside a row with a name that there is, is accepted, and holds a number that the
# type has not: `client.query` answers None for it. The same row through SQL or JSON is refused (UNKNOWN_ELEMENT_OF_ENUM). None is a zero
# for UUID, Bool, IPv6, Time and Time64, while for numbers, texts, dates and IPv4 it is refused.
#
# Whoever inserts Python objects names the column's type as String (column_type_names), so that the engine looks the name up, and
# looks for None by himself.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check clickhouse-connect==1.12.0 chdb==4.4.0 chdb-core==26.9.0

"$folder/venv/bin/python" - "$folder/store" <<'PYTHON'
import logging
import sys

import clickhouse_connect

ENUM = "Enum8('new' = 1, 'done' = 2)"
SEEN = {
    (ENUM, "String"): "refused",
    (ENUM, ENUM): "stored: None",
    ("UUID", "UUID"): "stored: 00000000-0000-0000-0000-000000000000",
    ("Bool", "Bool"): "stored: False",
    ("UInt8", "UInt8"): "refused",
    ("String", "String"): "refused",
}
logging.disable()
client = clickhouse_connect.get_client(interface="chdb", path=sys.argv[1])
found = {}
for (kind, named), before in SEEN.items():
    client.command("DROP TABLE IF EXISTS t")
    client.command(f"CREATE TABLE t (id UInt8, value {kind}) ENGINE = Memory")
    rows = [(1, "new"), (2, "lost")] if kind == ENUM else [(2, None)]
    try:
        client.insert("t", rows, column_names=["id", "value"], column_type_names=["UInt8", named])
        found[kind, named] = f"stored: {client.query('SELECT value FROM t WHERE id = 2').result_rows[0][0]}"
    except Exception:
        found[kind, named] = "refused"
    value = "'lost'" if kind == ENUM else "None"
    print(f"  {value:6} for {kind:28} named {named:28} {found[kind, named]}   ({before} seen before)")
if found != SEEN:
    sys.exit("the behaviour has changed")
PYTHON
