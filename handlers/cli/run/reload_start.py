"""How the process of `--reload` is started, and which files it is watched by."""

from __future__ import annotations

import os
from pathlib import Path

from millstream.handlers.settings.sections import Settings
from millstream.handlers.settings.sources import DEFAULT_FILE, named_file
from millstream.router import ConfigurationError

from .changes import look
from .reloading import Reloading
from .worker_process import WorkerProcess
from .worker_start import RunOptions

ALONE = "0"
"""The number of a worker that is the only one: its lines do not say it."""


def make_reloading(
    settings: Settings, options: RunOptions, app: str | None, instance: str | None, workers: int | None
) -> Reloading:
    """Return what starts this command again, without `--reload`, whenever its files change; its first process has started.

    Args:
        settings: as they are now; each start reads them anew.
        options: what the process is given.
        app: a router of the user's own, whose sources are watched as well.
        instance: the name of the member, if it has one.
        workers: refused.

    Raises:
        ConfigurationError: several processes were asked for.
    """
    if workers is not None:
        raise ConfigurationError("--reload is for development, with one process: leave --workers out")
    member = [] if instance is None else ["--instance", instance]
    arguments = options.command(*([] if app is None else [app]), "--worker", ALONE, *member)
    file = options.given.config or named_file(os.environ) or DEFAULT_FILE
    folder = None if app is None else Path.cwd()
    return Reloading(
        lambda: WorkerProcess(arguments, options.environment),
        lambda: look(folder, [file]),
        close_timeout=settings.router.close_timeout,
    )
