"""The settings of the store reach it, whoever opens it."""

import pytest

from millstream.handlers import EventRepository, Settings
from millstream.handlers.cli import options
from millstream.handlers.events import repository
from millstream.handlers.lanes import parts
from millstream.handlers.settings.sections import ClickHouseConfig

CONFIG = ClickHouseConfig(dsn="http://localhost:1/db", insert_deadline=7.0, compression="zstd")


class Opened(Exception):
    """Raised in the place of an open store."""


def open_by_command():
    """As the commands do."""
    with options.open_configured_store(Settings(clickhouse=CONFIG)):
        pass


def open_by_lanes():
    """As `run` and `add_lanes` do."""
    parts._prepared_repository(Settings(clickhouse=CONFIG))


def open_by_repository():
    """As a program does."""
    EventRepository.open(CONFIG.address, insert_deadline=CONFIG.insert_deadline, compression=CONFIG.compression)


@pytest.mark.parametrize(
    ("module", "open_it"),
    [(options, open_by_command), (parts, open_by_lanes), (repository, open_by_repository)],
    ids=["commands", "lanes", "programs"],
)
def test_deadline_and_compression_are_those_of_the_settings(monkeypatch, module, open_it):
    """None is left at its default."""
    given = {}

    def open_store(address, **more):
        given.update(more)
        raise Opened

    monkeypatch.setattr(module, "open_store", open_store)
    with pytest.raises(Opened):
        open_it()

    assert (given["insert_deadline"], given["compression"]) == (7.0, "zstd")
