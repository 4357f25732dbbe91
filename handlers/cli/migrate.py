"""`millstream migrate`: the database, the table and the topics that events need."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import click

from millstream.handlers.settings.sections import ClickHouseConfig, Settings
from millstream.handlers.store import Store
from millstream.handlers.store.chdb_folder import find_folder
from millstream.router.kafka.topic_setup import TopicSetup

from .brokers import addresses, brokers_option
from .exits import WRONG, exits
from .migrate_steps import Step, take
from .migrate_table import table_steps
from .migrate_topics import DLQ_PARTITIONS, PARTITIONS, TopicOptions, topic_steps, wanted_topics
from .options import global_options, open_configured_store
from .parameter_types import WholeNumber

ANY_DATABASE = "system"
"""There before the database of the settings is."""
MAX_PARTITIONS = 100_000
"""More than librdkafka asks any broker for."""
MAX_REPLICATION = 1000
"""More brokers than any cluster has."""
MAX_DAYS = 36_500
"""A century."""


@exits(clean="everything is as it should be", usage=f"{WRONG}, a refusal, or a table that takes no events")
@click.command()
@click.option("--dry-run", is_flag=True, help="Change nothing, and print exactly what a run prints.")
@click.option(
    "--topics", is_flag=True, help="Also the topics and DLQs of the enabled lanes, and the topic of post-processing."
)
@click.option(
    "--partitions",
    type=WholeNumber(1, MAX_PARTITIONS),
    help="Of those topics; given, it also raises the number of one that is there and has fewer."
    f"  [default: {PARTITIONS} for a new one]",
)
@click.option(
    "--dlq-partitions",
    type=WholeNumber(1, MAX_PARTITIONS),
    help=f"The same, of the DLQs.  [default: {DLQ_PARTITIONS} for a new one]",
)
@click.option(
    "--replication-factor",
    type=WholeNumber(1, MAX_REPLICATION),
    help="Copies of each partition of a new topic.  [default: what the brokers are set to]",
)
@click.option(
    "--dlq-retention-days",
    type=WholeNumber(1, MAX_DAYS),
    metavar="DAYS",
    help="How long a new DLQ keeps its messages.  [default: what the brokers are set to]",
)
@brokers_option
@global_options
def migrate(settings: Settings, /, dry_run: bool, topics: bool, brokers: str | None, **numbers: int | None) -> None:
    """Create the database and the table of events, or bring an older table to what it is today; no row is lost.

    Missing columns, constraints, indexes and settings are added. What cannot be changed without rewriting rows is named and left,
    as is what a topic has otherwise: partitions only grow, and only where --partitions is given. Every line is printed once it
    is done. Safe to repeat, also after an error half-way. A chDB folder is made if there is none.

    \b
    Example:
      millstream migrate --dry-run
      millstream migrate --topics --brokers localhost:9092
    """
    options = TopicOptions(**numbers)
    _refuse_without_topics(topics, brokers, options)
    given = addresses(brokers)
    wanted = wanted_topics(settings, given, options) if topics else []
    setup = TopicSetup(settings.kafka.publisher_config(given)) if topics else None
    with _opened(settings, dry_run=dry_run) as store:
        if dry_run:
            click.echo("millstream: a dry run: nothing is changed", err=True)
        # Everything is looked at before anything is changed: a broker that is away leaves the store as it was.
        steps = [*table_steps(store, settings.clickhouse), *([] if setup is None else topic_steps(setup, wanted))]
        take([Step(f"store {settings.clickhouse.address.redacted}"), *steps], dry_run=dry_run)


def _refuse_without_topics(topics: bool, brokers: str | None, options: TopicOptions) -> None:
    given = {"--brokers": brokers} | {
        f"--{name.replace('_', '-')}": getattr(options, name) for name in options.__struct_fields__
    }
    for option, value in given.items():
        if value is not None and not topics:
            raise click.UsageError(f"{option} has no effect without --topics", click.get_current_context())


def _opened(settings: Settings, *, dry_run: bool) -> AbstractContextManager[Store | None]:
    if dry_run and _is_missing(settings.clickhouse):
        return contextlib.nullcontext()
    return open_configured_store(settings, database=ANY_DATABASE)


def _is_missing(clickhouse: ClickHouseConfig) -> bool:
    folder = clickhouse.address.folder
    return folder is not None and not find_folder(folder)[1]
