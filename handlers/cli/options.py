"""The options that commands share, before their name and after it, and what they lead to: settings, logging, the store."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click
import msgspec

from millstream.handlers.log_output import LOG_LEVELS, LogFormat, log_to_stderr
from millstream.handlers.settings.loading import load_settings
from millstream.handlers.settings.sections import DEFAULT_DSN, Settings
from millstream.handlers.store import Store, open_store

from .parameter_types import FileName

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_LOG_LEVEL = "WARNING"


class GlobalOptions(msgspec.Struct, frozen=True):
    """What was given of the shared options; `None`: not given."""

    config: Path | None = None
    store: str | None = None
    log_level: str | None = None
    log_format: str | None = None

    def over(self, other: GlobalOptions) -> GlobalOptions:
        """Return these, with those of *other* where nothing was given."""
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        return msgspec.structs.replace(other, **given)


_CONFIG = click.option(
    "--config",
    type=FileName(),
    help="Settings as TOML.  [default: MILLSTREAM_CONFIG, else millstream.toml in the current folder, if it is there]",
)
_STORE = click.option(
    "--store",
    metavar="DSN",
    help="chdb:///folder, or http://user:password@host:8123/database; also MILLSTREAM_CLICKHOUSE__DSN, which other users"
    f" of the machine cannot read off the list of processes.  [default: {DEFAULT_DSN}]",
)
_LOGGING = (
    click.option(
        "--log-level",
        type=click.Choice(LOG_LEVELS, case_sensitive=False),
        help=f"Log records from this level on go to stderr.  [default: {DEFAULT_LOG_LEVEL}]",
    ),
    click.option(
        "--log-format",
        type=click.Choice([each.value for each in LogFormat]),
        help="json: one object a line, with the fields of the record.  [default: text]",
    ),
)


def global_option_declarations(function: Callable[P, R]) -> Callable[P, R]:
    """Declare the options on a click command or group, which then gets them as arguments."""
    return _declared(function, _CONFIG, _STORE, *_LOGGING)


def global_options(function: Callable[Concatenate[Settings, P], R]) -> Callable[..., R]:
    """Give a command the shared options: it is called with the `Settings` first, and logging is set up.

    An option after the command's name wins over the same one before it. Raises `ConfigurationError` for wrong settings.
    """
    return global_option_declarations(_with_settings(function))


def options_without_store(function: Callable[Concatenate[Settings, P], R]) -> Callable[..., R]:
    """Do the same for a command that has to do with no store: it takes no `--store`, and one before its name is refused."""

    @functools.wraps(function)
    def command(**arguments: Any) -> R:
        context = click.get_current_context()
        before = context.find_object(GlobalOptions)
        if before is not None and before.store is not None:
            raise click.UsageError(f"--store means nothing to {context.info_name}, which opens no store", context)
        return _with_settings(function)(store=None, **arguments)

    return _declared(command, _CONFIG, *_LOGGING)


def _declared(function: Callable[P, R], *options: Callable[[Callable[P, R]], Callable[P, R]]) -> Callable[P, R]:
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(options), function)


def _with_settings(function: Callable[Concatenate[Settings, P], R]) -> Callable[..., R]:
    @functools.wraps(function)
    def command(
        config: Path | None,
        store: str | None,
        log_level: str | None,
        log_format: str | None,
        **arguments: Any,
    ) -> R:
        context = click.get_current_context()
        before = context.find_object(GlobalOptions) or GlobalOptions()
        context.obj = given = GlobalOptions(config, store, log_level, log_format).over(before)
        log_to_stderr(given.log_level or DEFAULT_LOG_LEVEL, LogFormat(given.log_format or LogFormat.TEXT.value))
        settings = load_settings(given.config, store=given.store)
        return function(settings, **arguments)  # type: ignore[call-arg] # P, by name: click has filled it in

    return command


def given_options() -> GlobalOptions:
    """Return what was given of the shared options, inside a command that has `global_options`."""
    return click.get_current_context().find_object(GlobalOptions) or GlobalOptions()


@contextlib.contextmanager
def open_configured_store(settings: Settings, *, create: bool = True, database: str | None = None) -> Iterator[Store]:
    """Open the store of the settings, and close it behind the body; blocks until it has answered once.

    Args:
        create: make a chDB folder that is missing.
        database: what unqualified table names mean; `None`: the database of the settings.

    Raises:
        ConfigurationError, StoreUnavailable: see `open_store`.
    """
    clickhouse = settings.clickhouse
    database = clickhouse.database if database is None else database
    store = open_store(
        clickhouse.address,
        database=database,
        insert_deadline=clickhouse.insert_deadline,
        create=create,
        compression=clickhouse.compression,
    )
    with contextlib.closing(store):
        yield store
