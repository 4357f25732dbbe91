"""What can be told about a SQL statement before it is sent.

The engine's own read-only mode refuses what writes; these checks cover what it lets pass or words badly. Embedded chDB
writes `INTO OUTFILE` also in read-only mode, and runs several statements in one call, whose outputs get mixed. None of
the checks looks into strings, quoted names or comments.
"""

import re

from .errors import QueryError

# The alternatives are tried in this order at each place, so that a quote inside a comment opens no string.
_OPAQUE = re.compile(
    r"""
      --[^\n]*                       # comment to the end of the line
    | \#[!\ ][^\n]*                  # the same, as a shell has it
    | /\*.*?(?:\*/|\Z)               # comment over several lines
    | '(?:\\.|''|[^'\\])*(?:'|\Z)    # string
    | "(?:\\.|""|[^"\\])*(?:"|\Z)    # quoted name
    | `(?:\\.|``|[^`\\])*(?:`|\Z)    # quoted name
    | \$(\w*)\$.*?(?:\$\1\$|\Z)      # heredoc string
    """,
    re.DOTALL | re.VERBOSE,
)
_OUTFILE = re.compile(r"\binto\s+outfile\b", re.IGNORECASE)
_OUTPUT_FORMAT = re.compile(r"\bformat\s+\w+\s*$", re.IGNORECASE)
_ANSWERING = re.compile(r"[\s(]*(select|with|show|describe|desc|explain|exists|values|from|check)\b", re.IGNORECASE)
_SHORT = re.compile(r"[\s(]*(show|describe|desc|explain|exists|check)\b", re.IGNORECASE)
_SYNTAX_TREE = re.compile(r"\s*explain\s+ast\b", re.IGNORECASE)


def checked_statement(sql: str, *, read_only: bool) -> str:
    """Return the statement without a trailing semicolon, ready to be sent.

    Raises:
        QueryError: it is empty, several statements in one, names an output format, or, when only reading is allowed,
            writes into a file.
    """
    visible = _visible(sql)
    statement, _, rest = visible.partition(";")
    if not statement.strip():
        raise QueryError("the statement is empty")
    if rest.strip(" \t\r\n;"):
        raise QueryError("several statements in one; send one at a time")
    if read_only and _OUTFILE.search(statement):
        raise QueryError("INTO OUTFILE writes a file, and only reading is allowed here")
    if _OUTPUT_FORMAT.search(statement):
        raise QueryError("the statement ends with FORMAT; leave it out: `millstream query` has --format for that")
    return sql[: len(statement)].rstrip()


def answers_rows(sql: str) -> bool:
    """Return whether the statement answers with rows (SELECT, SHOW, ...) rather than being run for its effect."""
    return _ANSWERING.match(_visible(sql)) is not None


def is_short(sql: str) -> bool:
    """Return whether the statement asks about tables, settings or queries (SHOW, DESCRIBE, ...): its answer fits in memory."""
    return _SHORT.match(_visible(sql)) is not None


def takes_format(sql: str) -> bool:
    """Return whether FORMAT behind the statement is about its answer; EXPLAIN AST shows it as a part of what it explains."""
    return _SYNTAX_TREE.match(_visible(sql)) is None


def _visible(sql: str) -> str:
    """Blank out strings, quoted names and comments, keeping every other character at its place."""
    return _OPAQUE.sub(lambda match: " " * len(match[0]), sql)
