"""How a command that failed ends: a line on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback

import click

from millstream.router import ExitCode

MAX_LINE_LENGTH = 400
"""Characters: a reason of the store has at most 300, and a wrong statement or setting must not fill the screen."""
INTERRUPTED = 130
"""128 + SIGINT, as a shell has it."""
BROKEN_PIPE = 141
"""128 + SIGPIPE: what a shell shows for every program whose reader, such as `head`, went away."""

_OF_THE_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
"""A disk that is full, over quota, broken or read-only: nobody's bug, wherever it comes up."""


IS_GONE = "the current folder is not there any more: change into another"


def report(error: BaseException) -> int:
    """Say on stderr what ended the command, and return its exit code.

    A fault of the user's or of the surroundings gets one line, a bug its traceback, and a reader of stdout that went away
    nothing.
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
    elif _is_folder_gone(error):
        _say(IS_GONE)
    elif isinstance(error, OSError):
        _say(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror))
    else:
        _say(str(error) or type(error).__name__)
    return code


def _code(error: BaseException) -> ExitCode:
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        return ExitCode.USAGE
    return ExitCode.USAGE if _is_folder_gone(error) else ExitCode.of(error)


def _is_folder_gone(error: BaseException) -> bool:
    """Whether *error* comes of a current folder that somebody has removed: whatever asks where it is meets it."""
    if not isinstance(error, FileNotFoundError):
        return False
    try:
        os.getcwd()  # noqa: PTH109 - asked for its error alone
    except FileNotFoundError:
        return True
    return False


def _report_usage(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        _write(error.format_message())
        return ExitCode.USAGE
    context = error.ctx if isinstance(error, click.UsageError) else None
    text = error.format_message().rstrip(".")
    if context is not None:
        text += f"{' -' if text.endswith('?') else ';'} see {context.command_path} --help"
    _say(text)
    return ExitCode.USAGE


def _say(text: str) -> None:
    line = " ".join(part for each in text.splitlines() if (part := each.strip()))
    _write(f"millstream: {clean(line)}")


def clean(line: str, limit: int = MAX_LINE_LENGTH) -> str:
    """Return *line* with at most *limit* characters, and none that a terminal would obey: answers may have such."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    if len(shown) <= limit:
        return shown
    # Out of the middle: the reason stands as often behind a long name as before it.
    end = limit * 3 // 8
    return f"{shown[: limit - end - 1]}…{shown[len(shown) - end :]}"


def _write(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(text + "\n")
