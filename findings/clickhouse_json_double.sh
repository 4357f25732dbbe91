#!/usr/bin/env bash
# Beside a float that no double holds, ClickHouse's JSON functions read the whole document as if nothing were in it.
#
# Seen with chDB 4.4.0 (ClickHouse 26.9.2.1). RFC 8259 sets no limit to numbers, and says that software may set one.
#
# {"bytes": 512, "x": 1e308} gives 512 for JSONExtractInt(…, 'bytes'). With 1e309 in place of 1e308 it gives 0, JSONHas says that
# there is no such key, and there is no error: a sum over a column of such documents is too small and nothing tells. isValidJSON is the
# one function that does. Integers are no trouble in this version, however long.
#
# Whoever stores JSON as it comes and asks for its keys later has to refuse such floats when they come, or ask isValidJSON.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check chdb==4.4.0 chdb-core==26.9.0

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import chdb

SEEN = {"1e308": "512,1,1", "1e309": "0,0,0", "-1e309": "0,0,0", "18446744073709551616": "512,1,1"}
QUERY = "SELECT JSONExtractInt(doc, 'bytes'), JSONHas(doc, 'bytes'), isValidJSON(doc) FROM (SELECT '{}' AS doc)"

print("ClickHouse", str(chdb.query("SELECT version()", "TSVRaw")).strip(), "- JSONExtractInt, JSONHas, isValidJSON of a key beside")
found = {}
for number in SEEN:
    document = '{"bytes": 512, "x": ' + number + "}"
    found[number] = str(chdb.query(QUERY.format(document), "CSV")).strip()
    print(f"  {number:22} {found[number]:8} {SEEN[number]} seen before")
if found != SEEN:
    sys.exit("the behaviour has changed")
PYTHON
