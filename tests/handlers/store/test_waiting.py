"""Waiting for a store."""

import pytest

from millstream.handlers.store import StoreUnavailable, client, open_store
from millstream.handlers.store.waiting import RETRY_SECONDS, open_patiently
from millstream.handlers.testing import FakeStore
from millstream.router import ConfigurationError
from millstream.router.testing import ManualClock


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


def test_waiting_has_the_end_that_is_set():
    """The last wait is as long as what is left, and the last error says why."""
    clock, waits = ManualClock(), []

    def pause(seconds):
        waits.append(seconds)
        clock.advance(seconds)

    away = [StoreUnavailable(f"refused {number}") for number in range(4)]
    with pytest.raises(StoreUnavailable, match="refused 3"):
        open_patiently(opening(*away), pause, within=5.0, clock=clock)

    assert waits == [RETRY_SECONDS, RETRY_SECONDS, 1.0]


@pytest.mark.parametrize(("options", "seconds"), [({}, 0.0), ({"wait": 60.0}, 60.0)], ids=["unless told", "as told"])
def test_a_program_waits_for_its_store_as_it_is_told(monkeypatch, options, seconds):
    """Unless told it does not wait at all."""
    monkeypatch.setattr(client, "open_patiently", lambda _open, *, within: within)

    assert open_store("http://127.0.0.1:1/", **options) == seconds


def test_a_store_that_is_not_waited_for_is_no_news(log_lines):
    """What is raised says it."""
    with pytest.raises(StoreUnavailable, match="cannot reach http://127"):
        open_store("http://127.0.0.1:1/")

    assert log_lines == []


def test_a_wait_below_nothing_is_refused():
    """As any setting that makes no sense."""
    with pytest.raises(ConfigurationError, match="wait=-1 must be at least 0 seconds"):
        open_store("chdb://nowhere", wait=-1)


def test_no_time_at_all_for_a_query_is_refused():
    """Every one would be given up."""
    with pytest.raises(ConfigurationError, match="query_timeout=0 must be above 0 seconds"):
        open_store("chdb://nowhere", query_timeout=0)
