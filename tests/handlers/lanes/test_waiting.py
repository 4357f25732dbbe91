"""Waiting for a store."""

import pytest

from millstream.handlers.lanes.waiting import RETRY_SECONDS, open_patiently
from millstream.handlers.store import StoreUnavailable
from millstream.handlers.testing import FakeStore
from millstream.router import ConfigurationError


def opening(*outcomes):
    """What opens a store: raises or returns one of *outcomes* each time."""
    left = list(outcomes)

    def open_it():
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return open_it


def test_a_store_is_opened_once_it_is_there(log_lines):
    """It is said once that it is waited for, and once that it is back."""
    store, waits = FakeStore(), []

    found = open_patiently(opening(*[StoreUnavailable("refused")] * 3, store), waits.append)

    assert found is store
    assert waits == [RETRY_SECONDS] * 3
    assert [line.partition(":")[0] for line in log_lines] == ["WARNING store down", "WARNING store back"]


def test_a_store_that_is_there_is_no_news(log_lines):
    """Nobody waits, and nothing is said."""
    store = FakeStore()

    assert open_patiently(opening(store)) is store
    assert log_lines == []


def test_a_wrong_address_is_not_waited_for():
    """It would never be right."""
    with pytest.raises(ConfigurationError):
        open_patiently(opening(ConfigurationError("no such kind of store")))
