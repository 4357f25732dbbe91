"""What `millstream migrate` does and says, one thing after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
import msgspec

from millstream.router import ConfigurationError


def _nothing() -> None:
    pass


class Step(msgspec.Struct, frozen=True):
    """One thing, done or found to be as it should.

    Args:
        text: what is printed once it is done; the same in a dry run.
        do: does it.
        check: sees in a dry run that it could be done, where somebody can tell.
        is_fatal: whether nothing can work as it is found.
    """

    text: str
    do: Callable[[], object] = _nothing
    check: Callable[[], object] = _nothing
    is_fatal: bool = False


def take(steps: Iterable[Step], *, dry_run: bool) -> None:
    """Do each step and print it then, so that an error ends behind what was done; *dry_run* prints the same and does nothing.

    Raises:
        ConfigurationError: one was fatal, once all are taken; or whatever a step raises.
    """
    fatal = []
    for step in steps:
        if dry_run:
            step.check()
        else:
            step.do()
        click.echo(step.text)
        if step.is_fatal:
            fatal.append(step.text)
    if fatal:
        raise ConfigurationError(f"nothing can be stored as it is: {fatal[0]}")
