"""Which engines are too old, and which are known to be bad, each with its reason."""

from __future__ import annotations

import importlib.metadata
import platform
import re

import msgspec

from millstream import __version__
from millstream.router.kafka.inspection import client_versions

from .findings import Finding, failure, ok, warning

Version = tuple[int, ...]

OLDEST: Version = (22, 12)
"""The first that knows `input_format_json_read_objects_as_strings`: those before it refuse the properties of every event."""
OLDEST_REASON = "it cannot read the properties of an event (input_format_json_read_objects_as_strings)"


class KnownFault(msgspec.Struct, frozen=True):
    """A fault of an engine that concerns us.

    Args:
        branch: the release it is in.
        since: the first version that has it.
        fixed: the first that has it no more; `None`: none of this branch is known.
    """

    branch: Version
    since: Version
    fixed: Version | None

    def has(self, version: Version) -> bool:
        """Return whether *version* has the fault."""
        is_fixed = self.fixed is not None and version >= self.fixed
        return version[:2] == self.branch and version >= self.since and not is_fixed


CRASH_BEHIND_VIEWS = (
    KnownFault((26, 3), (26, 3, 17, 65), None),
    KnownFault((26, 4), (26, 4, 5, 151), None),
    KnownFault((26, 5), (26, 5, 6, 63), (26, 5, 7, 20)),
    KnownFault((26, 6), (26, 6, 2, 98), (26, 6, 3, 19)),
    KnownFault((26, 7), (26, 7), (26, 7, 3, 9)),
)
"""ClickHouse #112649: an INSERT under a token, through a view whose query changes the number of rows, into a target that is
partitioned and deduplicates, reads beyond its memory. It came with #111049; both have been carried to the branches named here."""


def parse_version(text: str) -> Version:
    """Return the numbers that *text* begins with, such as (26, 7, 2, 1); empty where it begins with none."""
    found = re.match(r"\d+(?:\.\d+)*", text.strip())
    return () if found is None else tuple(int(each) for each in found[0].split("."))


def judge_version(text: str, *, has_views: bool) -> Finding:
    """Return what is known of the engine of version *text*.

    Args:
        text: as the engine has it.
        has_views: whether the table of events feeds any.
    """
    version = parse_version(text)
    oldest = ".".join(map(str, OLDEST))
    if not version:
        return warning("engine", f"ClickHouse calls its version {text!r}: nothing is known of that one")
    if version < OLDEST:
        return failure("engine", f"ClickHouse {text} is too old, {OLDEST_REASON}: take {oldest} or newer")
    fault = next((each for each in CRASH_BEHIND_VIEWS if each.has(version)), None)
    if fault is None or not has_views:
        return ok("engine", f"ClickHouse {text}")
    mended = "another release" if fault.fixed is None else f"{'.'.join(map(str, fault.fixed))} or newer"
    told = "may crash at an INSERT whose rows a view counts or sums into a partitioned table (ClickHouse #112649)"
    return warning("engine", f"ClickHouse {text} {told}: take {mended}")


def own_versions() -> Finding:
    """Return what runs here: the line that a report of a fault needs first."""
    versions = {"millstream": __version__, "Python": platform.python_version(), **client_versions()}
    for package in ("clickhouse-connect", "chdb"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return ok("versions", ", ".join(f"{name} {version}" for name, version in versions.items()))
