"""Names of databases, tables and columns, made safe to stand in SQL."""

import re

from millstream.router.errors import ConfigurationError

MAX_IDENTIFIER_LENGTH = 206
"""ClickHouse keeps a table's metadata in a file named after it; 206 characters is what it accepts for such a name."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def quote_identifier(name: str) -> str:
    """Return the name between backticks, ready for SQL.

    Raises:
        ConfigurationError: the name is not a plain identifier (letters, digits, underscores, no digit first), or is
            longer than 206 characters.
    """
    if len(name) > MAX_IDENTIFIER_LENGTH or not _IDENTIFIER.fullmatch(name):
        raise ConfigurationError(
            f"{name[:80]!r} is not a usable database, table or column name:"
            f" letters, digits and underscores, no digit first, at most {MAX_IDENTIFIER_LENGTH} characters"
        )
    return f"`{name}`"


def quote_table(database: str, table: str) -> str:
    """Return `database`.`table`, quoted; the form in which `Store.insert_lines` takes a table.

    Raises:
        ConfigurationError: one of the two is not a plain identifier.
    """
    return f"{quote_identifier(database)}.{quote_identifier(table)}"
