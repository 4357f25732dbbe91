"""Answers that are not streamed: those to SHOW, DESCRIBE, EXISTS, EXPLAIN and CHECK, which an embedded engine streams none of."""

import re
from typing import Any

import msgspec

from .driver import Client
from .protocols import LineFormat
from .statement import takes_format

EXPLAIN_COLUMN = "explain"
"""What the engine calls the one column of an EXPLAIN."""

_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED = {b"t": b"\t", b"n": b"\n", b"r": b"\r", b"b": b"\b", b"f": b"\f", b"0": b"\0"}


def short_answer(client: Client, statement: str, settings: dict[str, Any], line_format: LineFormat) -> bytes:
    """Return all lines of the answer; EXPLAIN AST has no room for a format, so its plain lines are written anew.

    Raises:
        DriverError: the engine refuses the statement.
    """
    if takes_format(statement):
        return bytes(client.raw_query(statement, settings=settings, fmt=line_format.value))
    lines = bytes(client.raw_query(statement, settings=settings)).splitlines(keepends=True)
    return b"".join(lines) if line_format is LineFormat.TSV else b"".join(_line(each, line_format) for each in lines)


def _line(tsv: bytes, line_format: LineFormat) -> bytes:
    text = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), tsv.removesuffix(b"\n")).decode(errors="replace")
    if line_format is LineFormat.JSONL:
        return msgspec.json.encode({EXPLAIN_COLUMN: text}) + b"\n"
    return b'"%b"\n' % text.replace('"', '""').encode()
