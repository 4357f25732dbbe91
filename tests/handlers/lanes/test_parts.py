"""The store that lanes stand on: opened and prepared once it can be reached."""

import pytest

from millstream.handlers.events import EventRepository
from millstream.handlers.lanes import parts
from millstream.handlers.lanes.parts import opened_repository
from millstream.handlers.settings.sections import Settings
from millstream.handlers.store import StoreMisconfigured, StoreUnavailable, waiting
from millstream.handlers.testing import FakeStore
from millstream.router import HaltedError


class Server:
    """What is opened, one store after the other, and what its preparations come to."""

    def __init__(self):
        self.opened = []
        self.closed = []
        self.outcomes = []
        """What the next preparations raise; then they succeed."""

    def open(self, *_address, **_options):
        """Open a store that notes its end."""
        store = FakeStore()
        self.opened.append(store)
        store.close = lambda: self.closed.append(store)
        return store

    def prepare(self, *, create):
        """Fail as told."""
        if self.outcomes:
            raise self.outcomes.pop(0)


@pytest.fixture
def server(monkeypatch):
    """In place of one; nobody waits for it in earnest."""
    server = Server()
    monkeypatch.setattr(parts, "open_store", server.open)
    monkeypatch.setattr(EventRepository, "prepare", lambda _self, *, create: server.prepare(create=create))
    monkeypatch.setattr(waiting, "RETRY_SECONDS", 0.0)
    return server


def test_a_store_that_goes_away_while_it_is_prepared_is_waited_for(server, log_lines):
    """Each try has a store of its own, closed when it fails; said once."""
    server.outcomes += [StoreUnavailable("gone"), StoreUnavailable("gone")]
    with opened_repository(Settings()) as repository:
        closed = list(server.closed)

    assert closed == server.opened[:2]
    assert repository.store is server.opened[2]
    assert server.closed == server.opened
    assert [line.partition(":")[0] for line in log_lines] == ["WARNING store down", "WARNING store back"]


def test_a_store_that_cannot_be_safe_halts_and_is_closed(server):
    """Waiting would mend nothing."""
    server.outcomes += [StoreMisconfigured("locked")]
    with pytest.raises(HaltedError, match="locked"), opened_repository(Settings()):
        pass

    assert server.closed == server.opened
    assert len(server.opened) == 1
