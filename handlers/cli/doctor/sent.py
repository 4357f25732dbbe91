"""Whether the settings that every INSERT carries are in force at the server, and what its profile would do without them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from millstream.handlers.settings.sections import ClickHouseConfig
from millstream.handlers.store import Store, StoreMisconfigured
from millstream.handlers.store.insert_settings import SETTINGS_QUERY, SettingState, insert_settings
from millstream.handlers.store.protocols import InsertSettings
from millstream.handlers.store.sent_settings import WISHED

from .findings import Finding, failure, ok, warning
from .opening import open_for_looking

SUBJECT = "settings of an INSERT"
NO_SETTING = "wait_end_of_query"
"""A parameter of the interface, which no table of settings shows."""
CHANGED_QUERY = "SELECT name FROM system.settings WHERE changed"
MAX_NAMED = 3
"""Settings that a line names."""


def check_settings(store: Store, config: ClickHouseConfig) -> Iterator[Finding]:
    """Send the settings of an INSERT with a question for them, as an INSERT sends them, and compare what came to be.

    A proxy in between may drop or replace them; then no INSERT has them either.
    """
    # Not read-only: then every setting is locked.
    rows = store.query(SETTINGS_QUERY, read_only=False).rows
    found = {name: SettingState(value, low, high, bool(locked)) for name, value, low, high, locked in rows}
    changed = {name for (name,) in store.query(CHANGED_QUERY, read_only=False).rows}
    try:
        carried = insert_settings(config.insert_deadline, found)
    except StoreMisconfigured as error:
        yield failure(SUBJECT, str(error))
        return
    sent = {name: value for name, value in carried.items() if name != NO_SETTING}
    with contextlib.closing(open_for_looking(config, sent)) as other:
        applied = {name: str(value) for name, value, *_ in other.query(SETTINGS_QUERY, read_only=False).rows}
    yield from judge_settings(sent, applied, {name: each.value for name, each in found.items() if name in changed})


def judge_settings(sent: InsertSettings, applied: Mapping[str, str], changed: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what differs.

    Args:
        sent: what an INSERT carries.
        applied: what the server had of it.
        changed: what a profile, or the address, has set otherwise than the engine's default, by name.
    """
    sent = {name: value for name, value in sent.items() if name not in WISHED}  # which decides about no row
    lost = [
        f"{name} is {applied.get(name)}, not {value}" for name, value in sent.items() if applied.get(name) != str(value)
    ]
    if lost:
        text = f"sent, but not in force: {_listed(lost)}: does a proxy in between drop or set them? Let them through"
        yield failure(SUBJECT, text)
        return
    yield ok(SUBJECT, f"{len(sent)} sent, all in force")
    hostile = [
        f"{name} = {changed[name]}" for name, value in sent.items() if changed.get(name, str(value)) != str(value)
    ]
    if hostile:
        text = f"sets {_listed(hostile)}: our INSERTs override that, those of other programs may lose or double rows"
        yield warning("profile", text)


def _listed(texts: list[str]) -> str:
    more = f" and {len(texts) - MAX_NAMED} more" if len(texts) > MAX_NAMED else ""
    return ", ".join(texts[:MAX_NAMED]) + more
