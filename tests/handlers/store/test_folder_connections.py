"""Handles to the embedded engine: whoever is inside it is known, so that the end of the process leaves it alone."""

import pytest

from millstream.handlers.store import StoreDsn, folder_connections
from millstream.router import foreign_calls


class Handle:
    """What stands for a handle to the engine; notes how many calls into it were known when it was opened, used and closed."""

    def __init__(self, seen):
        self._seen = seen
        self.note("opened")

    def note(self, what):
        """Take note of the calls that are known now."""
        self._seen.append((what, foreign_calls._in_hand))

    def close(self):
        """End it."""
        self.note("closed")


@pytest.fixture
def seen(monkeypatch):
    """What the handles saw."""
    found = []
    monkeypatch.setattr(folder_connections, "open_folder", lambda *_: Handle(found))
    monkeypatch.setattr(folder_connections.importlib.util, "find_spec", lambda _: True)
    return found


@pytest.fixture
def connections(seen, tmp_path):
    """Connections to a folder, opened."""
    dsn = StoreDsn.parse(f"chdb://{tmp_path}")
    opened = folder_connections.FolderConnections(dsn, tmp_path, None, create=True)
    seen.clear()
    return opened


def test_a_handle_is_opened_and_used_inside_a_call_that_is_known(connections, seen):
    """Torn down there, the process would die of a segmentation fault."""
    with connections.writing() as handle:
        handle.note("used")

    assert seen == [("opened", 1), ("used", 1)]
    assert foreign_calls._in_hand == 0


def test_a_handle_that_failed_is_closed_inside_it(connections, seen):
    """As everything else that the engine does."""
    with pytest.raises(ValueError, match="refused"), connections.writing():
        raise ValueError("refused")

    assert seen == [("opened", 1), ("closed", 1)]
    assert foreign_calls._in_hand == 0


def test_the_engine_is_ended_inside_it(connections, seen):
    """With the last handle it ends its threads, which takes a while."""
    with connections.writing():
        pass
    connections.close()

    assert seen == [("opened", 1), ("closed", 1), ("closed", 1)]
    assert foreign_calls._in_hand == 0
