"""How a command that failed ends: a few lines on stderr and an exit code."""

from __future__ import annotations

import errno
import sys
import traceback

import click

from millstream.router import ExitCode

MAX_LINES = 3
"""A wrong statement or a setting must not fill the screen."""
MAX_LINE_LENGTH = 400
"""Characters of a line: a reason of the store has at most 300."""
INTERRUPTED = 130
"""128 + SIGINT, as a shell has it."""
BROKEN_PIPE = 141
"""128 + SIGPIPE: what a shell shows for every program whose reader, such as `head`, went away."""

_OF_THE_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
"""A disk that is full, over quota, broken or read-only: nobody's bug, wherever it comes up."""


def report(error: BaseException) -> int:
    """Say on stderr what ended the command, and return its exit code.

    A fault of the user's or of the surroundings gets at most three lines, a bug its traceback, and a reader of stdout that
    went away nothing.
    """
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE
    if isinstance(error, KeyboardInterrupt | click.Abort):
        _say("interrupted")
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        return _report_usage(error)
    code = _code(error)
    if code is ExitCode.BUG:
        _write("".join(traceback.format_exception(error)).rstrip())
        _say("this is a bug in Millstream: please report it with the lines above")
    elif isinstance(error, OSError):
        _say(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror))
    else:
        _say(str(error) or type(error).__name__)
    return code


def _code(error: BaseException) -> ExitCode:
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        return ExitCode.USAGE
    return ExitCode.of(error)


def _report_usage(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        _write(error.format_message())
        return ExitCode.USAGE
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = "" if context is None else f"\nsee {context.command_path} --help"
    _say(f"{error.format_message()}{hint}")
    return ExitCode.USAGE


def _say(text: str) -> None:
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    for line in lines[:MAX_LINES]:
        _write(f"millstream: {clean(line)}")


def clean(line: str, limit: int = MAX_LINE_LENGTH) -> str:
    """Return *line* with at most *limit* characters, and none that a terminal would obey: answers may have such."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _write(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(text + "\n")
