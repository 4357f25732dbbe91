"""What a ClickHouse error text holds: the reason, as one short line, and the row it speaks of.

The engine wraps its reason in a code, twice, the name of a temporary file, its own processing steps, its version and,
for bad rows, the values of the row; a Distributed table adds what each shard was sent. Logs get none of these.
"""

import re

MAX_REASON_LENGTH = 300
"""Characters of a reason: about three lines of a terminal, the longest an error of a command may be."""
MAX_END_LENGTH = 4000
"""Characters at the end of a text in which the names of views are looked for: views upon views, with room to spare."""

_ENDS = (
    re.compile(r"\s*\(version (?:[^()]|\([^()]*\))*\)"),
    re.compile(r"\s*\(for url [^)]*\)"),
)
_WRAPPING = (
    re.compile(r"^Received ClickHouse exception, code: \d+(, server response: )?"),
    re.compile(r"Code: \d+\. DB::(?:\w+::)?\w*Exception: "),
    re.compile(r"\s*:?\s*\(in file/uri [^)]*\)"),
    re.compile(r"\s*:?\s*While executing \w+"),
    re.compile(r"\s*:\s*data for INSERT was parsed from \w+\.?"),
    *_ENDS,
)
_ERROR_NAME = re.compile(r"\s*\.?\s*\(([A-Z][A-Z0-9_]+)\)\s*$")
_COLUMN_VALUES = re.compile(r"\s*Column values: .*$", re.DOTALL)
_QUOTED_VALUE = re.compile(r"'(?:[^']{2,})'")
_NEAR_BEFORE = re.compile(r"\s*before: '.*'", re.DOTALL)
_BARE_VALUE = re.compile(r"\b(Cannot parse (?:uuid|IPv[46])) .*?(?=: \(|$)", re.IGNORECASE | re.DOTALL)
_FIRST_ROW = re.compile(r":? \(at row 1\)| at row 1\b")
"""Of a row that was sent alone, as each one is that is refused, the number says nothing."""
_LEFT_OPEN = re.compile(r":(?: :)+")
"""What is left where the engine leaves out a value by itself."""
_ROW = re.compile(r"\bat row (\d+)")
# What the engine appends for each view that it was in, the innermost first. Only at the very end of a text: before that there may
# be a value of a row, and nobody may stop a lane by writing these words into an event. A name is quoted where it has to be.
_NAME = r"(?:\w+|`(?:[^`\\]|\\.)*`)(?:\.(?:\w+|`(?:[^`\\]|\\.)*`))?"
_IN_VIEWS = re.compile(
    rf": while pushing to view ({_NAME})(?: \([0-9a-f-]{{36}}\))?"
    rf"(?:: while pushing to view {_NAME}(?: \([0-9a-f-]{{36}}\))?)*(?:: While executing \w+)*\s*$",
    re.ASCII,
)
# What a Distributed table appends when one of its shards refuses an INSERT: a line for each that it went to.
_SHARDS_BEGIN = "Insertion status:\nWrote "
_SHARDS = re.compile(r"Insertion status:\n((?:Wrote \d+ blocks and \d+ rows on shard \d+[^\n]*\n)+)")
_STATUS = re.compile(r"HTTP status (\d{3})")


def short_reason(text: str) -> str:
    """Return the reason as one line of at most 300 characters, without what the engine wraps around it."""
    text = _without_shards(text)[0]
    for pattern in _WRAPPING:
        text = pattern.sub("", text)
    return _one_line(_without_names(text)[0])


def row_reason(text: str) -> str:
    """Return the reason without the values of the row: event data has no place in a log or in a poison reason."""
    text = _NEAR_BEFORE.sub("", _COLUMN_VALUES.sub("", short_reason(text)))
    text = _LEFT_OPEN.sub(":", _FIRST_ROW.sub("", _BARE_VALUE.sub(r"\1", text)))
    return _one_line(_QUOTED_VALUE.sub("'…'", text))


def row_hint(text: str) -> int | None:
    """Return the number of the row, from 1, that the engine complains about, if it names one."""
    found = _ROW.search(text)
    return None if found is None else int(found[1])


def error_name(text: str) -> str:
    """Return what the engine calls the error, such as `CANNOT_PARSE_NUMBER`; empty if it does not say."""
    return _end(text)[1]


def failed_view(text: str) -> str | None:
    """Return the view that raised the error, if one did: then its table has taken the rows."""
    found = _IN_VIEWS.search(_end(text)[0])
    return None if found is None else found[1]


def shards_written(text: str) -> int:
    """Return how many shards, and replicas of shards, a Distributed table had sent the INSERT to when one of them refused it.

    0 where it was refused before any got rows, or is no such table.
    """
    return _without_shards(text)[1]


def http_status(text: str) -> int | None:
    """Return the HTTP status in a driver's text about an answer that carried no ClickHouse error code."""
    found = _STATUS.search(text)
    return None if found is None else int(found[1])


def _without_names(text: str) -> tuple[str, str]:
    """Return the text without the name of the error at its end, and that name."""
    first = ""
    # Under a wrapped exception it stands twice.
    while (name := _ERROR_NAME.search(text)) is not None:
        first = name[1]
        text = text[: name.start()]
    return text, first


def _without_shards(text: str) -> tuple[str, int]:
    """Return the text without what a Distributed table has appended, and how many lines that were."""
    start = text.rfind(_SHARDS_BEGIN)
    shards = None if start < 0 else _SHARDS.match(text, start)
    # Only at the end of a text, like a view: anywhere else these are words of a row.
    if shards is None or _unwrapped_end(text[shards.end() :])[0].strip(" ."):
        return text, 0
    return text[:start].rstrip(" :") + text[shards.end() :], shards[1].count("\n")


def _end(text: str) -> tuple[str, str]:
    """Return the last words of the text, and the name of the error; the text may hold a row of any length."""
    return _unwrapped_end(_without_shards(text)[0])


def _unwrapped_end(text: str) -> tuple[str, str]:
    text = text[-MAX_END_LENGTH:]
    for pattern in _ENDS:
        text = pattern.sub("", text)
    return _without_names(text)


def _one_line(text: str) -> str:
    line = " ".join(text.split()).strip(" :,")
    return line if len(line) <= MAX_REASON_LENGTH else line[: MAX_REASON_LENGTH - 1] + "…"
