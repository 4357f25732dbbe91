"""What a replay says: how many messages went where, what is left and why."""

from __future__ import annotations

import click

from .replay import Replay

STOPPED = "run the same command again: what is noted as sent is not sent again"


def say_sent(replay: Replay, *, is_dry_run: bool) -> None:
    """Print how many messages went, or would go, where; a line for each source and topic."""
    for (source, topic), count in sorted(replay.sent.items()):
        click.echo(f"{source} to {topic}: {count:,} {'would be sent' if is_dry_run else 'sent'}")
    if not replay.sent:
        click.echo("nothing to send")


def say_left(replay: Replay) -> None:
    """Say on stderr how many records are left, why, and where the first ones are."""
    for why, count in replay.left.items():
        places = ", ".join(replay.places[why])
        more = ", …" if count > len(replay.places[why]) else ""
        click.echo(f"millstream: left: {count:,} {why.value} ({places}{more})", err=True)
    if replay.reasons:
        click.echo(f"millstream: the first of those: {replay.reasons[0]}", err=True)


def say_stopped(replay: Replay, reason: str) -> None:
    """Say on stderr that the replay has ended before everything was sent."""
    click.echo(f"millstream: {replay.sent.total():,} sent, the rest not: {reason}; {STOPPED}", err=True)
