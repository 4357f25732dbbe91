"""The command line `millstream`: its commands, and what happens when one of them fails."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from millstream import __version__
from millstream.router import Cancelled
from millstream.router.foreign_calls import leave_if_calling

from .allocator import tune_allocator
from .exit_report import report
from .exits import exits
from .options import GlobalOptions, global_option_declarations

PROGRAM = "millstream"
COMMANDS = ("demo", "ingest", "publish", "run", "query", "migrate", "dlq", "doctor", "config")
"""Each in a module of its name, in the order of the help."""


class CommandGroup(click.Group):
    """Imports the module of a command when it is asked for: a service that is started again need not wait for what others use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; `None`: there is no such one."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(importlib.import_module(f".{cmd_name}", __package__), cmd_name)
        return found


@exits(
    clean="done",
    usage="wrong usage or configuration, or a store or broker that refuses us",
    poisoned="done, but something was set aside",
    halted="halted by policy",
    undrained="closed before everything was finished; safe to repeat",
    hears_signals=True,
)
@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, message="millstream %(version)s")
@global_option_declarations
@click.pass_context
def commands(
    context: click.Context, config: Path | None, store: str | None, log_level: str | None, log_format: str | None
) -> None:
    """Usage events through a router and its middleware into ClickHouse, in a few large INSERTs.

    The store is a ClickHouse server or, without any set-up, an embedded one in a folder. The options below may stand before
    the name of a command or after it, but for --store with publish, which opens none. Settings come from millstream.toml and
    from MILLSTREAM_<SECTION>__<KEY>, which wins.

    \b
    Example:
      millstream demo
    """
    context.obj = GlobalOptions(config, store, log_level, log_format)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; blocks until the command has ended. Nothing is raised.

    Does not return where an embedded engine is still in the middle of an INSERT: the process ends then and there.

    Args:
        arguments: those after the program's name; `None`: those of this process.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    tune_allocator()
    try:
        _take_any_text()
        code = _run(given)
    except (Exception, KeyboardInterrupt, Cancelled) as error:  # noqa: BLE001 - the end of the line: all becomes an exit code
        code = report(error)
    _settle_stdout()
    leave_if_calling(code)
    return code


def _run(arguments: list[str]) -> int:
    code: object = 0
    try:
        # Not `commands.main()`: it ends a broken pipe with exit code 1 before anybody can tell it from a bug.
        with commands.make_context(PROGRAM, arguments) as context:
            commands.invoke(context)
    except click.exceptions.Exit as ended:
        code = ended.exit_code
    except SystemExit as ended:
        code = ended.code
    return code if isinstance(code, int) else 0 if code is None else 1


def _take_any_text() -> None:
    """Show with a backslash what stdout has no letters for, as stderr does by itself: a file's name may hold any bytes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _settle_stdout() -> None:
    """Drop what cannot be written; Python would try again at its end, complain, and exit with a code of its own."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
