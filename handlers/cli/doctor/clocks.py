"""Whether the server's clock is ours."""

from __future__ import annotations

from datetime import UTC, datetime

from millstream.handlers.store import Store

from .findings import Finding, ok, warning

MAX_SECONDS = 5.0
"""Hosts that keep their time in step are within 0.1 s of each other, and a batch waits this long (`flush_interval`): a clock that
is further off makes the age of what is stored a matter of that clock."""
CLOCK_QUERY = "SELECT toUnixTimestamp64Micro(now64(6))"


def wall_clock() -> datetime:
    """Return the time of day, in UTC."""
    return datetime.now(UTC)


def check_clock(store: Store) -> list[Finding]:
    """Compare the server's clock with ours, at the middle of the question."""
    before = wall_clock()
    server = int(store.query(CLOCK_QUERY).rows[0][0]) / 1e6
    after = wall_clock()
    return [judge_clock(server - (before.timestamp() + after.timestamp()) / 2, (after - before).total_seconds() / 2)]


def judge_clock(ahead: float, error: float) -> Finding:
    """Return what it means that the server is *ahead* of us by so many seconds, known to within *error*."""
    if abs(ahead) - error <= MAX_SECONDS:
        return ok("clock", f"the store's is ours, within {max(abs(ahead), error):.1f} s")
    side = "ahead of" if ahead > 0 else "behind"
    text = f"the store's is {abs(ahead):.1f} s {side} ours: `ingested_at` is by that one; set both by NTP"
    return warning("clock", text)
