"""What a check has found: one line each, and the exit code of all of them."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import msgspec

from millstream.router import ExitCode, MillstreamError, TransientError

from ..exit_report import clean

ANSWER_SECONDS = 5.0
"""For each answer of a broker or a store: one that takes longer would hold up a service as well."""
MAX_LINE_LENGTH = 1000
"""Characters of a line: a reason of the store has at most 300, and behind some stands a command to type, whole."""


class Level(enum.Enum):
    """How bad it is; the value is what the line begins with."""

    OK = "ok"
    SKIPPED = "skip"
    """Not looked at, as something else is wrong."""
    WARNING = "warn"
    """A service runs, but not as it should."""
    FAILURE = "FAIL"
    """A service does not run so, or stores nothing."""
    UNSEEN = "late"
    """A probe was sent, and not seen in time."""


class Finding(msgspec.Struct, frozen=True):
    """One line of the command.

    Args:
        level: how bad it is.
        subject: what was looked at.
        text: what was found, and what to do where something is wrong.
    """

    level: Level
    subject: str
    text: str

    @property
    def line(self) -> str:
        """The line, whatever names and answers there are in it."""
        text = clean(" ".join(f"{self.subject}: {self.text}".split()), MAX_LINE_LENGTH)
        return f"{self.level.value:<4} {text}"


def ok(subject: str, text: str) -> Finding:
    """Return that it is as it should be."""
    return Finding(Level.OK, subject, text)


def skipped(subject: str, text: str) -> Finding:
    """Return that it was not looked at."""
    return Finding(Level.SKIPPED, subject, text)


def warning(subject: str, text: str) -> Finding:
    """Return that it works, but not as it should."""
    return Finding(Level.WARNING, subject, text)


def failure(subject: str, text: str) -> Finding:
    """Return that it does not work."""
    return Finding(Level.FAILURE, subject, text)


def exit_code(levels: Iterable[Level]) -> ExitCode:
    """Return 2 for any failure, 5 where only the probe was not seen in time, else 0: warnings end nothing."""
    found = set(levels)
    if Level.FAILURE in found:
        return ExitCode.USAGE
    return ExitCode.UNDRAINED if Level.UNSEEN in found else ExitCode.CLEAN


def attempt(subject: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield what *check* finds; where it cannot even look, that is the failure of *subject*."""
    try:
        yield from check()
    except MillstreamError as error:
        yield failure(subject, str(error))


def attempt_all(checks: Iterable[tuple[str, Callable[[], Iterable[Finding]]]]) -> Iterator[Finding]:
    """Do the same for checks of one server, by subject: once it does not answer in time, it is not asked for the rest."""
    waiting = deque(checks)
    while waiting:
        subject, check = waiting.popleft()
        try:
            yield from check()
        except TransientError as error:
            yield failure(subject, str(error))
            if waiting:
                rest = dict.fromkeys(each for each, _ in waiting)
                yield skipped(", ".join(rest), "not looked at, as the store does not answer")
            return
        except MillstreamError as error:
            yield failure(subject, str(error))
