"""`millstream run`: its options, and which way of running they choose."""

from __future__ import annotations

import contextlib
import signal
import sys

import click

from millstream.handlers.log_output import name_in_lines, show_lines_of
from millstream.handlers.settings.sections import Settings
from millstream.router import ExitCode
from millstream.router.kafka.names import checked_name

from ..brokers import addresses, brokers_option
from ..exits import WRONG, exits
from ..options import given_options, global_options
from ..parameter_types import Number, WholeNumber
from .app_run import refuse_lane_options, run_app
from .consumer import Consumer
from .early_signals import ends_in_order
from .reload_start import make_reloading
from .worker_process import keep_going
from .worker_signals import WorkerSignals
from .worker_start import RunOptions, worker_starter
from .workers import Workers

LINES_OF = (
    "millstream.handlers.cli.run.early_signals",
    "millstream.handlers.cli.run.reloading",
    "millstream.handlers.cli.run.workers",
    "millstream.handlers.cli.run.report",
    "millstream.handlers.events.lanes",
    "millstream.router.running.handler_run",
    "millstream.router.running.signal_line",
    "millstream.router.running.signals",
)
"""Whose INFO lines are shown: one for each lane, for each rebalance, for each interval, and for a signal."""


def _check_instance(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    """Check it before anybody waits for brokers."""
    return None if name is None else checked_name("--instance", name)


@exits(
    clean="ended in order by a signal; with --once, everything is consumed",
    bug="a bug, in Millstream or in a router of your own",
    usage=f"{WRONG}, or a store or broker that refuses us",
    poisoned="with --once: something was set aside",
    halted="halted by a policy, such as [poison]",
    undrained="closed before everything was stored; it is delivered again",
    hears_signals=True,
)
@click.command()
@click.argument("app", required=False, metavar="[MODULE:ATTRIBUTE]")
@brokers_option
@click.option("--once", is_flag=True, help="End when what the topics hold at the start is consumed.")
@click.option(
    "--instance",
    metavar="NAME",
    callback=_check_instance,
    help="Be a static member of the groups: one that is back within the session time-out keeps its partitions, and those of one"
    " that is not stand still for as long. So NAME has to survive a restart, as the name of a StatefulSet's pod does. No two"
    " processes may have the same one.  [default: [kafka] group_instance_id]",
)
@click.option(
    "--workers",
    metavar="N",
    type=WholeNumber(min=1),
    help="Keep N processes of this going, each a static member: NAME-1 to NAME-N, where NAME is that of --instance or the"
    " host's. A container has a new host name with each start: give --instance there. One that is killed is started again."
    " Needs a ClickHouse server.",
)
@click.option(
    "--reload",
    is_flag=True,
    help="For development: start again when the settings file changes, or a .py file below the current folder where a router of"
    " your own is run.",
)
@click.option("--worker", type=int, hidden=True, help="Which of the workers this process is.")
@click.option(
    "--interval",
    type=Number(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds between two lines that say how far it is.",
)
@global_options
def run(
    settings: Settings,
    app: str | None,
    brokers: str | None,
    once: bool,
    instance: str | None,
    workers: int | None,
    reload: bool,
    worker: int | None,
    interval: float,
) -> None:
    """Consume the enabled lanes from Kafka into the store until SIGINT or SIGTERM; or run a router of your own.

    MODULE:ATTRIBUTE is such a router, or a function that makes one; the module is looked for in the current folder first. It is
    run by itself: --once, --brokers, --instance and --workers are for the lanes of the settings, and refused with it.

    An offset is committed only once its row is stored, or its record is in the poison topic. The first signal ends it in
    order, within `[router] close_timeout`; a second one ends it at once, and then nothing is lost either. With --workers the exit
    code is that of the worst of them.

    \b
    Example:
      millstream run --once
      millstream run app:make_router --reload
    """
    show_lines_of(*LINES_OF)
    if app is not None:
        several = None if reload else workers  # what --reload makes of them it says itself
        refuse_lane_options(app, once=once, instance=instance, brokers=brokers, workers=several)
    own = [*([] if brokers is None else ["--brokers", brokers]), *(["--once"] if once else [])]
    options = RunOptions(given_options(), (*own, "--interval", str(interval)))
    if reload:
        sys.exit(keep_going(make_reloading(settings, options, app, instance, workers)))
    signals = None if worker is None else _listen_to_parent(worker)
    # A worker is told by its parent, which knows what a signal before its start comes to.
    undone = ExitCode.UNDRAINED if once else ExitCode.CLEAN
    early = ends_in_order(undone) if signals is None else contextlib.nullcontext()
    if app is not None:
        with early:
            sys.exit(run_app(app, given_options(), interval, signals))
    if workers is not None:
        start = worker_starter(settings, options, instance, workers)
        sys.exit(keep_going(Workers(workers, start, once=once, close_timeout=settings.router.close_timeout)))
    with early:
        consumer = Consumer(
            settings, brokers=addresses(brokers), instance=instance, interval=interval, once=once, signals=signals
        )
        sys.exit(consumer.run())


def _listen_to_parent(worker: int) -> WorkerSignals:
    if worker:
        name_in_lines(worker=worker)
    # Until there is a router it ends the process as SIGTERM does, without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signals = WorkerSignals(sys.stdin.fileno())
    signals.listen()
    return signals
