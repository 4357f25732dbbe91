"""How the help of a command ends: with an example, and with the exit codes that this one can give."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import TypeVar

import click

from millstream.router import ExitCode

C = TypeVar("C", bound=click.Command)

EXAMPLES = re.compile(r"\x08\nExamples?:")
"""How the block of examples begins in a docstring; it ends it."""
WRONG = "wrong usage or configuration"
BUG = "a bug: please report it"
REFUSED = f"{WRONG}, or a store that is away or refuses us"
SECOND_SIGNAL = "ended at once by a second signal n"


def exits(
    *,
    clean: str,
    bug: str = BUG,
    usage: str = REFUSED,
    poisoned: str | None = None,
    halted: str | None = None,
    undrained: str | None = None,
    hears_signals: bool = False,
) -> Callable[[C], C]:
    """Say in the help of a command with which codes it ends, each in a few words; stands above `@click.command()`.

    The block `Example:` or `Examples:` that ends its docstring moves with them to the end of the help, behind the options.

    Args:
        clean, bug, usage, poisoned, halted, undrained: the words of each `ExitCode`; `None`: the command never ends with it.
        hears_signals: whether a first signal ends it in order, and only a second one at once.
    """
    words = {
        ExitCode.CLEAN: clean,
        ExitCode.BUG: bug,
        ExitCode.USAGE: usage,
        ExitCode.POISONED: poisoned,
        ExitCode.HALTED: halted,
        ExitCode.UNDRAINED: undrained,
    }
    lines = [f"  {code:d}  {text}" for code, text in words.items() if text is not None]
    if hears_signals:
        lines.append(f"  128+n  {SECOND_SIGNAL}")

    def end_help(command: C) -> C:
        text = inspect.cleandoc(command.help or "")
        found = EXAMPLES.search(text)
        examples = [] if found is None else [text[found.start() :].rstrip(), ""]
        command.help = text if found is None else text[: found.start()].rstrip()
        command.epilog = "\n".join([*examples, "\b", "Exit codes:", *lines])
        return command

    return end_help
