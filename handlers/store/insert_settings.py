"""The settings of one INSERT: what `sent_settings` lists, as far as the engine knows it and its user may set it."""

from collections.abc import Mapping

import msgspec

from .errors import StoreMisconfigured
from .protocols import InsertSettings
from .sent_settings import SENT, WISHED

EXECUTION_MARGIN = 5.0
"""Seconds by which the store gives an INSERT up before we do, so that there is an answer to wait for."""
MAX_NAMED = 3
"""Settings that an error names: more would not fit into its line."""

_TIME_LIMIT = "max_execution_time"
_NAMES = ", ".join(f"'{name}'" for name in (*SENT, *WISHED, _TIME_LIMIT))
SETTINGS_QUERY = f"SELECT name, value, min, max, readonly FROM system.settings WHERE name IN ({_NAMES})"  # noqa: S608 - ours
"""Asks an engine what `SettingState` holds, one row for each setting that it knows."""


class SettingState(msgspec.Struct, frozen=True):
    """A setting as the engine has it for this user.

    Args:
        value: what it is where nobody sends it.
        lowest, highest: what the user may set it to; `None` for no bound.
        is_locked: whether the user may not set it at all.
    """

    value: str
    lowest: str | None = None
    highest: str | None = None
    is_locked: bool = False

    def allows(self, value: str | int) -> bool:
        """Return whether the user may send *value*; what is the value already may always be sent."""
        if self.value == str(value):
            return True
        if self.is_locked:
            return False
        bounds = ((self.lowest, -1), (self.highest, 1))
        return not any(bound and (float(value) - float(bound)) * side > 0 for bound, side in bounds)


def insert_settings(deadline: float, found: Mapping[str, SettingState]) -> InsertSettings:
    """Return what every INSERT carries, but for its token.

    Args:
        deadline: seconds we wait for one INSERT.
        found: the settings that the engine knows, by name.

    Raises:
        StoreMisconfigured: the user may not set one of them, and it has another value.
    """
    sent = {
        name: each.value for name, each in SENT.items() if name in found and (not each.needs or each.needs in found)
    }
    refused = [name for name, value in sent.items() if not found[name].allows(value)]
    if refused:
        raise StoreMisconfigured(_refusal(refused, found))
    wished = {name: value for name, value in WISHED.items() if name in found and found[name].allows(value)}
    limits = {name: _time_limit(deadline, state) for name, state in found.items() if name == _TIME_LIMIT}
    # The answer comes when the INSERT has ended: a parameter of the interface, not a setting.
    return {
        **sent,
        **wished,
        **{name: limit for name, limit in limits.items() if limit is not None},
        "wait_end_of_query": 1,
    }


def _time_limit(deadline: float, state: SettingState) -> int | None:
    """Return the engine's own limit for one INSERT, in seconds; `None` where the user may not set that one."""
    wanted = max(1, round(deadline - EXECUTION_MARGIN))
    if state.allows(wanted):
        return wanted
    return None if state.is_locked or not state.highest else max(1, min(wanted, int(state.highest)))


def _refusal(names: list[str], found: Mapping[str, SettingState]) -> str:
    told = ", ".join(f"{name} is {found[name].value}, must be {SENT[name].value}" for name in names[:MAX_NAMED])
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"the store's user may not set what an INSERT must carry: {told}{more}; lift the constraint, or set it there"
