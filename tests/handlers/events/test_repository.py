"""What a repository says of its table before the first batch."""

import pytest

from millstream.handlers.events import EventRepository
from millstream.handlers.store import FEEDS_VIEWS, Result
from millstream.handlers.testing import FakeStore

SETTINGS = f"SELECT name, value FROM system.settings WHERE name IN ('{FEEDS_VIEWS}', 'deduplicate_insert')"
WINDOWS = "SELECT name, value FROM system.merge_tree_settings WHERE name LIKE '%_window'"


def replicated(feeds_views):
    """The store of an engine before 26.2 whose table is Replicated."""
    store = FakeStore()
    create = "CREATE TABLE m.events (id String) ENGINE = ReplicatedMergeTree ORDER BY id"
    store.answers["SHOW CREATE TABLE `m`.`events`"] = Result(columns=("statement",), rows=[(create,)])
    store.answers[SETTINGS] = Result(columns=("name", "value"), rows=[(FEEDS_VIEWS, feeds_views)])
    store.answers[WINDOWS] = Result(columns=("name", "value"), rows=[("replicated_deduplication_window", "10000")])
    return store


@pytest.mark.parametrize(("feeds_views", "warnings"), [("0", 1), ("1", 0)])
def test_views_that_miss_repeats_are_warned_about(log_lines, feeds_views, warnings):
    """Whoever sums in views there would miss rows after a lost answer: the warning names the setting to change."""
    EventRepository(replicated(feeds_views), database="m").prepare(create=False)

    told = [line for line in log_lines if line.startswith("WARNING") and f"set {FEEDS_VIEWS}=1" in line]
    assert len(told) == len(log_lines) == warnings
