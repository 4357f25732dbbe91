"""`millstream doctor`: its options, the order of its checks, and its exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import click
from loguru import logger

from millstream.handlers.log_output import CONNECTION
from millstream.handlers.settings.sections import Settings

from ..brokers import addresses, brokers_option
from ..exits import WRONG, exits
from ..options import global_options
from ..parameter_types import Number
from .findings import Finding, Level, exit_code
from .kafka_checks import KafkaChecks
from .probing import Probe
from .store_checks import StoreChecks
from .versions import own_versions


@exits(
    clean="no failure, whatever the warnings",
    usage=f"a failure; or {WRONG}",
    undrained="no failure, but the probe was not seen in time",
)
@click.command()
@brokers_option
@click.option(
    "--probe",
    is_flag=True,
    help="Also send one marked event to the topic of [event_processing], and time it until it is in the table. It is stored"
    " under the tenant millstream_probe, never billed and never told to post-processing.",
)
@click.option(
    "--probe-timeout",
    metavar="SECONDS",
    type=Number(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="How long the event may take.",
)
@global_options
def doctor(settings: Settings, brokers: str | None, probe: bool, probe_timeout: float) -> None:
    """Look at everything that a service depends on, and say in a line each what is wrong and what to do about it.

    Brokers, topics, what waits in poison topics, groups; the store, its clock, its table, our rights, the settings of an
    INSERT. Nothing is changed, no group is joined and nothing committed; each answer may take 5 s. A line begins with ok,
    warn, FAIL, or skip for what could not be looked at.

    \b
    Example:
      millstream doctor --brokers localhost:9092 --probe
    """
    # Its warning says what a line of ours says.
    logger.disable(CONNECTION)
    levels: list[Level] = []
    for finding in examine(settings, addresses(brokers), probe_timeout if probe else None):
        click.echo(finding.line)
        levels.append(finding.level)
    sys.exit(exit_code(levels))


def examine(settings: Settings, brokers: Sequence[str], probe_timeout: float | None) -> Iterator[Finding]:
    """Yield what all checks find, as they find it.

    Args:
        settings: what is to be there.
        brokers: win over those of the settings.
        probe_timeout: seconds that a probe may take; `None` sends none.
    """
    yield own_versions()
    kafka, store = KafkaChecks(settings, brokers), StoreChecks(settings.clickhouse)
    yield from kafka.run()
    yield from store.run()
    if probe_timeout is not None:
        yield from Probe(settings, brokers, probe_timeout).run(is_possible=kafka.can_publish and store.is_ready)
