"""How a worker is started: the same command once more, as a member of its own."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import msgspec

from millstream.handlers.settings.sections import Settings
from millstream.handlers.settings.sources import variable_name
from millstream.router import ConfigurationError
from millstream.router.kafka.names import checked_name, name_of

from ..options import GlobalOptions
from .worker_process import WorkerProcess


class RunOptions(msgspec.Struct, frozen=True):
    """What a worker is given of its parent's options, as they were written.

    Args:
        given: those of every command.
        own: those of `run`, and its arguments.
    """

    given: GlobalOptions
    own: tuple[str, ...]

    def arguments(self, number: int, name: str) -> list[str]:
        """Return the command line of the worker *number*, the member *name*."""
        return self.command("--worker", str(number), "--instance", name)

    def command(self, *more: str) -> list[str]:
        """Return the command line of a child, with *more* options of `run`. The store is not in it: it may hold a password."""
        given = {
            "--config": self.given.config,
            "--log-level": self.given.log_level,
            "--log-format": self.given.log_format,
        }
        before = [word for option, value in given.items() if value is not None for word in (option, str(value))]
        return [*before, "run", *more, *self.own]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a worker, where `--store` wins as it does in ours."""
        if self.given.store is None:
            return dict(os.environ)
        return {**os.environ, variable_name("clickhouse", "dsn"): self.given.store}


def worker_names(instance: str | None, count: int) -> list[str]:
    """Return the instance ids of *count* workers: *instance*, by default the name of this host, each with its number.

    Raises:
        ConfigurationError: *instance* cannot be the name of a member.
    """
    name = socket.gethostname() if instance is None else checked_name("--instance", instance)
    return [name_of(name, str(number)) for number in range(1, count + 1)]


def worker_starter(
    settings: Settings, options: RunOptions, instance: str | None, count: int
) -> Callable[[int], WorkerProcess]:
    """Return what starts the worker of a number, from 1 to *count*.

    Raises:
        ConfigurationError: the store belongs to one process, or *instance* cannot be the name of a member.
    """
    if count > 1 and settings.clickhouse.address.folder is not None:
        raise ConfigurationError(
            f"--workers {count} needs a ClickHouse server, as an embedded store belongs to one process:"
            " set clickhouse.dsn, or leave --workers out"
        )
    names = worker_names(settings.kafka.group_instance_id if instance is None else instance, count)
    return lambda number: WorkerProcess(options.arguments(number, names[number - 1]), options.environment)
