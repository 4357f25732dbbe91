"""`millstream config`: a documented settings file, and what is in force."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from millstream.handlers.settings.loading import find_given
from millstream.handlers.settings.sections import Settings
from millstream.handlers.settings.sources import DEFAULT_FILE
from millstream.handlers.settings.toml_text import in_force, template
from millstream.router import ConfigurationError

from .exits import WRONG, exits
from .options import given_options, global_options
from .parameter_types import FileName

STDOUT = Path("-")


@exits(clean="done", usage=WRONG)
@click.group()
def config() -> None:
    """Write a documented settings file, or show which settings are in force.

    \b
    Example:
      millstream config init
    """


@exits(clean="written", usage="wrong usage, or FILE is there already or cannot be written")
@config.command()
@click.argument("file", type=FileName(), default=DEFAULT_FILE)
def init(file: Path) -> None:
    """Write a settings FILE with every setting, what it means and its default, as comments: it changes nothing.

    Without FILE: millstream.toml in the current folder. "-" writes to the standard output. A file that is there is left as it is.

    \b
    Example:
      millstream config init
    """
    if file == STDOUT:
        sys.stdout.write(template())
        return
    try:
        # No secret is in it, but soon may be: nobody else is to read it.
        file.touch(mode=0o600, exist_ok=False)
        file.write_text(template(), encoding="utf-8")
    except FileExistsError:
        raise ConfigurationError(f"{file} is there already, and stays as it is: name another file") from None
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from error
    click.echo(f"{file} written; millstream config check shows what is in force")


@exits(clean="the settings are valid", usage="a setting is wrong, or the usage is")
@config.command()
@global_options
def check(settings: Settings) -> None:
    """Show every setting that is in force, as TOML, and where it comes from: file and line, variable, option or default.

    Secrets are masked. What is wrong is told with its place, in one line.

    \b
    Example:
      millstream config check --config millstream.toml
    """
    options = given_options()
    sys.stdout.write(in_force(settings, find_given(options.config, store=options.store)))
