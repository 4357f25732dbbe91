#!/usr/bin/env bash
# The time zone of a partition key may be changed; a question for the partition's expression then misses rows that are there.
#
# Seen with chDB 4.4.0 (ClickHouse 26.9.2.1) and with a ClickHouse 26.7.2 server.
#
# A table is partitioned by toYYYYMMDD(time), and time has the zone Europe/Berlin. ALTER TABLE … MODIFY COLUMN time
# DateTime64(3, 'UTC') is taken without a word, and leaves the parts as they are: the partition of a row of 00:30 in Berlin is that of
# its day there. In UTC it is of the day before, and so it is shown; but `WHERE toYYYYMMDD(time) = …` finds it under neither day, as
# the parts are left out by what their partition says. Without the filter, by a range of times, and by countIf it is found.
#
# Whoever has to change the zone of such a column copies the rows into a new table.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check chdb==4.4.0 chdb-core==26.9.0

"$folder/venv/bin/python" - "$folder/data" <<'PYTHON'
import sys

from chdb import session

SEEN = {
    "SELECT toString(time), toYYYYMMDD(time) FROM d.t": '"2026-11-23 23:30:00.000",20261123',
    "SELECT count() FROM d.t WHERE toYYYYMMDD(time) = 20261123": "0",
    "SELECT count() FROM d.t WHERE toYYYYMMDD(time) = 20261124": "0",
    "SELECT countIf(toYYYYMMDD(time) = 20261123) FROM d.t": "1",
    "SELECT count() FROM d.t WHERE time < '2026-11-24 00:00:00'": "1",
}

engine = session.Session(sys.argv[1])
engine.query("CREATE DATABASE d")
engine.query(
    "CREATE TABLE d.t (id UInt8, time DateTime64(3, 'Europe/Berlin'))"
    " ENGINE = MergeTree PARTITION BY toYYYYMMDD(time) ORDER BY id"
)
engine.query("INSERT INTO d.t SELECT 1, toDateTime64('2026-11-23 23:30:00', 3, 'UTC')")
engine.query("ALTER TABLE d.t MODIFY COLUMN time DateTime64(3, 'UTC')")
print("ClickHouse", str(engine.query("SELECT version()", "TSVRaw")).strip(), "- answers, and those seen before")
found = {}
for question in SEEN:
    found[question] = str(engine.query(question, "CSV")).strip()
    print(f"  {question}\n    {found[question]:40} {SEEN[question]}")
if found != SEEN:
    sys.exit("the behaviour has changed")
PYTHON
