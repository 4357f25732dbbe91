"""`millstream dlq`: looking at what was set aside. What sends it back is in `replay_command`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import click
import msgspec

from millstream.handlers.settings.sections import Settings
from millstream.router import ConfigurationError

from ..exits import WRONG, exits
from ..options import options_without_store
from ..output import OutputFormat
from .filters import Filter, filled
from .listing import count_records, write_rows
from .options import UNANSWERED, Selection, open_sources, selecting
from .records import PoisonRecord
from .replay_command import replay
from .showing import shown
from .sources import Source
from .topic_source import TopicSource


@exits(
    clean="done",
    usage=UNANSWERED,
    poisoned="replay: something was left",
    undrained="replay: stopped before all was sent; safe to repeat",
    hears_signals=True,
)
@click.group()
def dlq() -> None:
    """Look at what was set aside in poison topics and files, and send it back once its cause is mended.

    \b
    Examples:
      millstream dlq list
      millstream dlq replay --dry-run
    """


@exits(clean="counted, also where there is nothing", usage=UNANSWERED)
@dlq.command("list")
@click.option(
    "--format",
    "output_format",
    type=click.Choice([each.value for each in OutputFormat]),
    default=OutputFormat.AUTO.value,
    show_default=True,
    help="auto is, on a terminal, a table for each source, short enough for it; anywhere else it is tsv. tsv, csv and jsonl"
    " have no header line.",
)
@options_without_store
@selecting
def list_records(settings: Settings, selection: Selection, output_format: str) -> None:
    """Count the records by reason, handler and day: how many, how many of them were replayed, the oldest and the newest.

    Reasons are compared without their values: numbers are shown as #, quoted text as '…', and 120 characters are looked at.
    Columns: source, by, value, records, replayed, oldest, newest (UTC).

    \b
    Examples:
      millstream dlq list
      millstream dlq list --topic events-dlq --since 2026-11-28
      millstream dlq list --file events.ndjson.poison.ndjson --format jsonl
    """
    with open_sources(settings, selection) as sources:
        rows = count_records(sources, selection.wanted)
    if rows:
        write_rows(rows, OutputFormat(output_format))
    else:
        click.echo("millstream: no such record", err=True)


@exits(clean="shown", usage=f"no such record; {WRONG}, or no answer")
@dlq.command("show")
@click.argument("place", nargs=-1, metavar="[TOPIC PARTITION OFFSET]")
@click.option("--uuid", help="Only the record of this message.")
@options_without_store
@selecting
def show(settings: Settings, selection: Selection, place: Sequence[str], uuid: str | None) -> None:
    """Show one record: where it came from, what happened, its metadata and its payload.

    The one at TOPIC PARTITION OFFSET, else the first one that the options leave, of those that were not replayed where there
    are any. A payload that is JSON is indented, one that is no text is in base64.

    \b
    Examples:
      millstream dlq show events-dlq 0 17
      millstream dlq show --reason "tenant_id: missing"
      millstream dlq show --uuid e-20
    """
    wanted = msgspec.structs.replace(selection.wanted, uuid=filled("--uuid", uuid))
    if place and (selection.topics or selection.file is not None or wanted != Filter()):
        raise ConfigurationError("TOPIC PARTITION OFFSET is one record: leave the other options out")
    topic, partition, offset = _parse_place(place) if place else ("", 0, 0)
    if place:
        selection = msgspec.structs.replace(selection, topics=(topic,))
    with open_sources(settings, selection) as sources:
        record = _at(sources[0], partition, offset) if place else _first(sources, wanted)
    click.echo(shown(record))


def _parse_place(place: Sequence[str]) -> tuple[str, int, int]:
    try:
        topic, partition, offset = place
        return topic, int(partition), int(offset)
    except ValueError:
        text = " ".join(place)
        raise ConfigurationError(f"give TOPIC PARTITION OFFSET, such as events-dlq 0 17, not {text}") from None


def _at(source: Source, partition: int, offset: int) -> PoisonRecord:
    if not isinstance(source, TopicSource):
        raise ConfigurationError("only a topic has partitions and offsets")
    return source.read_one(partition, offset)


def _first(sources: Sequence[Source], wanted: Filter) -> PoisonRecord:
    """Return the first that waits: what was replayed is of another day. Where none does, the first of those."""
    replayed = None
    for source in sources:
        with contextlib.closing(source.read(lambda: False)) as chunks:
            for record in (each for records in chunks for each in records if wanted.matches(each)):
                if not record.is_replayed:
                    return record
                replayed = replayed or record
    if replayed is None:
        raise ConfigurationError("no such record: millstream dlq list shows which there are")
    return replayed


dlq.add_command(replay)
