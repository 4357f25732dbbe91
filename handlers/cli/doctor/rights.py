"""What the store's user may do, as the engine itself answers: `CHECK GRANT` counts roles and profiles, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from millstream.handlers.events import EVENT_COLUMNS
from millstream.handlers.store import QueryError, Store

from .findings import Finding, failure, ok, skipped, warning

SYNTAX_ERROR = 62
"""What an engine says that has no CHECK GRANT: those before 24.11."""


class Need(msgspec.Struct, frozen=True):
    """A right, and what goes without it.

    Args:
        right: as it stands behind GRANT.
        without: what does not work where it is missing.
        stops: whether a service does not start or stores nothing then.
    """

    right: str
    without: str
    stops: bool


def needs_of(table: str) -> list[Need]:
    """Return what a service needs on *table*, a quoted name, and what else is of use."""
    return [
        Need(f"INSERT({', '.join(EVENT_COLUMNS)}) ON {table}", "nothing is stored", stops=True),
        Need("SELECT ON system.merge_tree_settings", "no start sees whether a repeated INSERT is safe", stops=True),
        Need(f"SELECT ON {table}", "query and doctor --probe see no events", stops=False),
    ]


def check_rights(store: Store, table: str) -> Iterator[Finding]:
    """Ask for each right; *table* is a quoted name."""
    needs = needs_of(table)
    try:
        # Not read-only: that would itself take the right to insert away.
        granted = {
            need.right: bool(store.query(f"CHECK GRANT {need.right}", read_only=False).rows[0][0]) for need in needs
        }
    except QueryError as error:
        if error.code != SYNTAX_ERROR:
            raise
        yield skipped("rights", "not looked at: this engine has no CHECK GRANT, those from 24.11 on have")
        return
    yield from judge_rights(needs, granted)


def judge_rights(needs: list[Need], granted: Mapping[str, bool]) -> Iterator[Finding]:
    """Yield a line for each right that is missing, or one that none is."""
    missing = [need for need in needs if not granted[need.right]]
    for need in missing:
        text = (
            f"without it {need.without}: have it granted: GRANT {need.right}; or is the profile of the user read-only?"
        )
        yield (failure if need.stops else warning)("rights", text)
    if not missing:
        yield ok("rights", "to insert, to read, and to see what a start looks at")
