"""Running a router of the user's own as the lanes are run: the same signals, lines and exit codes."""

from __future__ import annotations

import os

from loguru import logger

from millstream.handlers.lanes import AddedLanes
from millstream.handlers.settings.sources import CONFIG_VARIABLE, variable_name
from millstream.router import ConfigurationError, ExitCode, SignalsHandler
from millstream.router.exit_codes import is_bug

from ..gc_tuning import tune_gc
from ..options import GlobalOptions
from .app import load_router, place_of
from .report import Report, look_at


def refuse_lane_options(app: str, **given: object) -> None:
    """Refuse the options that are about the lanes of the settings: *given* by name, falsy where they were not.

    Raises:
        ConfigurationError: names the first one.
    """
    for name, value in given.items():
        if value:
            raise ConfigurationError(f"--{name} is for the lanes of the settings, not for a router of your own ({app})")


def run_app(app: str, options: GlobalOptions, interval: float, signals: SignalsHandler | None = None) -> ExitCode:
    """Run the router that *app* names until it has closed; blocks. A bug of the user's is told; whatever else stops it is raised.

    Args:
        app: `module:attribute`, see `load_router`.
        options: `load_settings()` in the user's code heeds the file and the store that are given here.
        interval: seconds between two lines that say how far it is.
        signals: what closes it; `None`: those that the process gets.
    """
    if options.config is not None:
        os.environ[CONFIG_VARIABLE] = str(options.config)
    if options.store is not None:
        os.environ[variable_name("clickhouse", "dsn")] = options.store
    router = load_router(app)
    router.add_plugin(SignalsHandler() if signals is None else signals)
    lanes = next((each for each in router.workers if isinstance(each, AddedLanes)), None)
    service = None if lanes is None else lanes.service
    tune_gc()
    try:
        with Report(lambda: look_at(router.handlers.values(), service), interval):
            router.run()
    except Exception as error:
        if not is_bug(error) or not (place := place_of(error)):
            raise
        logger.opt(exception=error).error("{} failed in its own code{}", app, place)
        return ExitCode.BUG
    return ExitCode.CLEAN
