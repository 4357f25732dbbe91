"""The option that every command has which speaks to Kafka."""

from __future__ import annotations

import click

from millstream.router import ConfigurationError

brokers_option = click.option(
    "--brokers", metavar="HOST:PORT,…", help="Some brokers of the cluster.  [default: [kafka] brokers]"
)


def addresses(brokers: str | None) -> list[str]:
    """Return what was given, taken apart; nothing where nothing was.

    Raises:
        ConfigurationError: it names none.
    """
    if brokers is None:
        return []
    given = [each.strip() for each in brokers.split(",") if each.strip()]
    if not given:
        raise ConfigurationError(f"--brokers names none: give host:port, not {brokers!r}")
    return given
