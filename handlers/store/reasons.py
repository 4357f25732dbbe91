"""What a ClickHouse error text holds: the reason, as one short line, and the row it speaks of.

The engine wraps its reason in a code, twice, the name of a temporary file, its own processing steps, its version and,
for bad rows, the values of the row. Logs get none of these.
"""

import re

MAX_REASON_LENGTH = 300
"""Characters of a reason: about three lines of a terminal, the longest an error of a command may be."""

_WRAPPING = (
    re.compile(r"^Received ClickHouse exception, code: \d+(, server response: )?"),
    re.compile(r"Code: \d+\. DB::Exception: "),
    re.compile(r"\s*:?\s*\(in file/uri [^)]*\)"),
    re.compile(r"\s*:?\s*While executing \w+"),
    re.compile(r"\s*:\s*data for INSERT was parsed from \w+\.?"),
    re.compile(r"\s*\(version (?:[^()]|\([^()]*\))*\)"),
    re.compile(r"\s*\(for url [^)]*\)"),
)
_ERROR_NAME = re.compile(r"\s*\.?\s*\(([A-Z][A-Z0-9_]+)\)\s*$")
_COLUMN_VALUES = re.compile(r"\s*Column values: .*$", re.DOTALL)
_QUOTED_VALUE = re.compile(r"'(?:[^']{2,})'")
_NEAR_BEFORE = re.compile(r"\s*before: '.*'", re.DOTALL)
_ROW = re.compile(r"\bat row (\d+)")
_STATUS = re.compile(r"HTTP status (\d{3})")


def short_reason(text: str) -> str:
    """Return the reason as one line of at most 300 characters, without what the engine wraps around it."""
    for pattern in _WRAPPING:
        text = pattern.sub("", text)
    # Under a wrapped exception the name of the error stands twice.
    while (name := _ERROR_NAME.search(text)) is not None:
        text = text[: name.start()]
    return _one_line(text)


def row_reason(text: str) -> str:
    """Return the reason without the values of the row: event data has no place in a log or in a poison reason."""
    text = _NEAR_BEFORE.sub("", _COLUMN_VALUES.sub("", short_reason(text)))
    return _one_line(_QUOTED_VALUE.sub("'…'", text))


def row_hint(text: str) -> int | None:
    """Return the number of the row, from 1, that the engine complains about, if it names one."""
    found = _ROW.search(text)
    return None if found is None else int(found[1])


def http_status(text: str) -> int | None:
    """Return the HTTP status in a driver's text about an answer that carried no ClickHouse error code."""
    found = _STATUS.search(text)
    return None if found is None else int(found[1])


def _one_line(text: str) -> str:
    line = " ".join(text.split()).strip(" :,")
    return line if len(line) <= MAX_REASON_LENGTH else line[: MAX_REASON_LENGTH - 1] + "…"
