"""What the commands of `dlq` share: where the records are, and which of them are meant."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click
import msgspec

from millstream.handlers.settings.sections import Settings
from millstream.router import ConfigurationError
from millstream.router.kafka import KafkaAdmin
from millstream.router.kafka.names import checked_id, checked_name

from ..brokers import addresses, brokers_option
from ..exits import WRONG
from ..parameter_types import FileName
from .file_source import FileSource
from .filters import Filter, filled, parse_time
from .sources import Source
from .topic_source import TopicSource

P = ParamSpec("P")
R = TypeVar("R")

GROUP = "millstream-dlq-replay"
UNANSWERED = f"{WRONG}, or brokers that are away or refuse us"

_OPTIONS = (
    click.option(
        "--topic",
        "topics",
        multiple=True,
        metavar="NAME",
        help="A poison topic; may be repeated.  [default: topic_dlq of every lane that is enabled]",
    ),
    click.option(
        "--file",
        type=FileName(),
        help="A poison file in place of topics: of a PoisonFile, of ingest or of publish.",
    ),
    click.option(
        "--group",
        default=GROUP,
        show_default=True,
        help="Who has replayed: the group that Kafka keeps the progress for.",
    ),
    brokers_option,
    click.option(
        "--reason", metavar="TEXT", help="Only records whose reason contains this, as the record or as list has it."
    ),
    click.option("--handler", metavar="NAME", help="Only records of this handler."),
    click.option(
        "--since", metavar="TIME", help="Only records set aside at this time or later, such as 2026-11-28T16:00Z."
    ),
    click.option("--until", metavar="TIME", help="Only records set aside before this time."),
)


class Selection(msgspec.Struct, frozen=True):
    """What was given of the shared options.

    Args:
        wanted: which records.
        topics, file: where they are; without either in the poison topics of the lanes.
        group: who replays them.
        brokers: some of the cluster; `None`: those of the settings.
    """

    wanted: Filter
    topics: tuple[str, ...]
    file: Path | None
    group: str
    brokers: str | None


def selecting(function: Callable[Concatenate[Settings, Selection, P], R]) -> Callable[..., R]:
    """Declare the options on a command, which is called with the settings and what was given.

    Raises ConfigurationError where one is wrong by itself.
    """

    @functools.wraps(function)
    def command(settings: Settings, /, **given: Any) -> R:
        reason, handler, since, until = (given.pop(name) for name in ("reason", "handler", "since", "until"))
        texts = filled("--reason", reason), filled("--handler", handler)
        wanted = Filter(*texts, parse_time("--since", since), parse_time("--until", until))
        own = {name: given.pop(name) for name in ("topics", "file", "group", "brokers")}
        selection = Selection(wanted, **own)
        checked_id("--group", selection.group)
        if selection.file is not None and selection.topics:
            raise ConfigurationError("--file and --topic do not go together: give one of them")
        return function(settings, selection, **given)  # type: ignore[call-arg] # P, by name: click has filled it in

    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(_OPTIONS), command)


@contextlib.contextmanager
def open_sources(settings: Settings, selection: Selection) -> Iterator[list[Source]]:
    """Open the topics or the file that were given, or the poison topics of the lanes, with their ends noted.

    A poison topic of the settings that does not exist is said and left out.

    Raises:
        ConfigurationError: there is none, or one that was given does not exist; the brokers refuse us.
        TransientError: no answer.
    """
    brokers = addresses(selection.brokers)
    with contextlib.ExitStack() as stack:
        sources: list[Source] = []
        if selection.file is not None:
            has_brokers = brokers or settings.kafka.brokers
            sender = settings.kafka.publisher_config(brokers) if has_brokers else None
            sources.append(FileSource(selection.file, sender, selection.group))
        else:
            reader = settings.kafka.subscriber_config(selection.group, brokers)
            writer = settings.kafka.publisher_config(brokers)
            for name in _existing(settings, selection.topics, KafkaAdmin(writer)):
                source = TopicSource(name, reader, writer)
                stack.callback(source.close)
                sources.append(source)
        for each in sources:
            each.look()
        yield sources


def _existing(settings: Settings, topics: Sequence[str], admin: KafkaAdmin) -> list[str]:
    for name in topics:
        admin.require_topic(checked_name("--topic", name))
    if topics:
        return list(dict.fromkeys(topics))
    poison = {lane.poison_topic for lane in settings.lanes.values() if lane.enabled}
    names = sorted(name for name in poison if name is not None)
    if not names:
        raise ConfigurationError(
            "no lane that is enabled has a poison topic (topic_dlq): give --topic NAME or --file PATH"
        )
    found = [name for name in names if admin.count_partitions(name) is not None]
    for name in sorted(set(names) - set(found)):
        click.echo(f"millstream: topic {name}: no such topic, so nothing was set aside there", err=True)
    return found
