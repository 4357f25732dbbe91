"""`millstream dlq replay`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import click

from millstream.handlers.settings.sections import Settings
from millstream.router import ConfigurationError, ExitCode, TransientError
from millstream.router.kafka import KafkaAdmin, KafkaPublisherConfig
from millstream.router.kafka.errors import unknown_topic
from millstream.router.kafka.names import checked_name
from millstream.router.kafka.publishing.transactions import Fenced

from ..brokers import addresses
from ..exits import exits
from ..options import options_without_store
from ..parameter_types import Number, WholeNumber
from ..pipeline import Snapshot
from ..progress import progress
from ..publish_signals import StopSignals
from .options import UNANSWERED, Selection, open_sources, selecting
from .replay import Pace, Replay
from .report import say_left, say_sent, say_stopped
from .sending_back import MAX_REPLAYS, Left, Rules
from .sources import Source


@exits(
    clean="all is sent, or nothing was to send",
    usage=UNANSWERED,
    poisoned="something is left: cut, no topic, sent too often, refused",
    undrained="stopped: by a signal, no broker, a later replay; safe to repeat",
    hears_signals=True,
)
@click.command()
@click.option("--max", "limit", type=WholeNumber(min=1), metavar="N", help="Send no more than N messages.")
@click.option("--rate", type=Number(min=0, min_open=True), metavar="N", help="Send no more than N messages a second.")
@click.option("--to", metavar="TOPIC", help="Where records go that say no topic, such as those of ingest and publish.")
@click.option(
    "--max-replays",
    type=WholeNumber(min=1),
    default=MAX_REPLAYS,
    show_default=True,
    metavar="N",
    help="Leave what was sent back N times already.",
)
@click.option("--dry-run", is_flag=True, help="Say how many messages would go where, and send nothing.")
@options_without_store
@selecting
def replay(
    settings: Settings,
    selection: Selection,
    limit: int | None,
    rate: float | None,
    to: str | None,
    max_replays: int,
    dry_run: bool,
) -> None:
    """Send the messages of poison records back, each to the topic that it came from, once its cause is mended.

    A message goes as it came: payload, key, uuid and metadata; replays_poisoned among these counts how often. The records stay
    where they are. Which were replayed is noted in the offsets of a consumer group (--group), in one transaction with the
    messages: none is sent twice, neither by a replay with another filter nor after one that was killed. Of two replays of a topic
    at a time the later one goes on. What is set aside after the start is left for the next replay.

    Of a poison file the notes are in <FILE>.replayed; after a kill the next replay may send up to 1,000 messages of it again.

    \b
    Examples:
      millstream dlq replay --dry-run
      millstream dlq replay --reason "tenant_id: missing" --rate 500
      millstream dlq replay --file events.ndjson.poison.ndjson --to events
    """
    writer = settings.kafka.publisher_config(addresses(selection.brokers))
    rules = Rules(None if to is None else checked_name("--to", to), max_replays)
    signals = StopSignals()

    def make(pace: Pace | None = None) -> Replay:
        return Replay(selection.wanted, rules, limit=limit, pace=pace, is_stopped=lambda: signals.received)

    with signals.listening(), open_sources(settings, selection) as sources:
        if to in {source.name for source in sources}:
            raise ConfigurationError(f"--to {to} is where the records are: name another topic")
        plan = make()
        for source in sources:
            plan.walk(source, None)
        if signals.received or dry_run or not _has_work(plan):
            sys.exit(_end(plan, "interrupted" if signals.received else "", is_dry_run=True))
        _require_topics(plan, writer)
        sys.exit(send_planned(make(Pace(rate)), plan, sources, lambda: signals.received))


def _require_topics(plan: Replay, writer: KafkaPublisherConfig) -> None:
    admin = KafkaAdmin(writer)
    for topic in sorted({topic for _, topic in plan.sent}):
        if admin.count_partitions(topic) is None:
            raise ConfigurationError(f"{unknown_topic(topic, writer.address)}; nothing was sent")


def _has_work(plan: Replay) -> bool:
    """Return whether there is anything to send, or to note."""
    return bool(plan.sent) or plan.left[Left.CUT] > 0


def send_planned(replay: Replay, plan: Replay, sources: Sequence[Source], is_stopped: Callable[[], bool]) -> ExitCode:
    """Send what was planned, say what came of it, and return the exit code."""
    planned = plan.sent.total()

    def done() -> float | None:
        return replay.sent.total() / planned if planned else None

    def line(_: Snapshot) -> str:
        return f"sent {replay.sent.total()} of {planned}"

    reason = ""
    try:
        with progress("replay", lambda: Snapshot(replay.sent.total(), 0, 0), done, line):
            for source in sources:
                with source.outbox() as outbox:
                    replay.walk(source, outbox)
    except (TransientError, Fenced) as error:
        reason = str(error)
    except ConfigurationError:
        _end(replay, "")
        raise
    if is_stopped() and replay.sent.total() + replay.left[Left.REFUSED] < planned:
        reason = reason or "interrupted"
    return _end(replay, reason)


def _end(replay: Replay, reason: str, *, is_dry_run: bool = False) -> ExitCode:
    """Say what came of it, and return the exit code; *reason*: why it did not come to its end."""
    say_sent(replay, is_dry_run=is_dry_run)
    say_left(replay)
    if reason:
        say_stopped(replay, reason)
        return ExitCode.UNDRAINED
    return ExitCode.POISONED if replay.left else ExitCode.CLEAN
