"""What a repository says of its table before the first batch."""

import pytest

from millstream.handlers.events import EventRepository
from millstream.handlers.events.schema import EVENT_COLUMNS
from millstream.handlers.store import FEEDS_VIEWS, Result, StoreMisconfigured
from millstream.handlers.testing import FakeStore

SETTINGS = f"SELECT name, value FROM system.settings WHERE name IN ('{FEEDS_VIEWS}', 'deduplicate_insert')"
DEFAULT = "SELECT value FROM system.merge_tree_settings WHERE name = '{}'"


def replicated(feeds_views):
    """The store of an engine before 26.2 whose table is Replicated."""
    store = FakeStore()
    create = "CREATE TABLE m.events (id String) ENGINE = ReplicatedMergeTree ORDER BY id"
    store.answers["SHOW CREATE TABLE `m`.`events`"] = Result(columns=("statement",), rows=[(create,)])
    store.answers["DESCRIBE TABLE `m`.`events`"] = Result(("name",), [(each,) for each in EVENT_COLUMNS])
    store.answers[SETTINGS] = Result(columns=("name", "value"), rows=[(FEEDS_VIEWS, feeds_views)])
    for name, value in (("replicated_deduplication_window", "10000"), ("async_insert", "0")):
        store.answers[DEFAULT.format(name)] = Result(columns=("value",), rows=[(value,)])
    return store


@pytest.mark.parametrize(("feeds_views", "warnings"), [("0", 1), ("1", 0)])
def test_views_that_miss_repeats_are_warned_about(log_lines, feeds_views, warnings):
    """Whoever sums in views there would miss rows after a lost answer: the warning names the setting to change."""
    EventRepository(replicated(feeds_views), database="m").prepare(create=False)

    told = [line for line in log_lines if line.startswith("WARNING") and f"set {FEEDS_VIEWS}=1" in line]
    assert len(told) == len(log_lines) == warnings


def test_table_that_makes_inserts_asynchronous_ends_the_start():
    """Its own setting wins over what an INSERT says, so the start ends with the statement that mends it."""
    store = replicated("1")
    store.answers[DEFAULT.format("async_insert")] = Result(columns=("value",), rows=[("1",)])

    with pytest.raises(StoreMisconfigured, match=r"run ALTER TABLE `m`\.`events` MODIFY SETTING async_insert = 0"):
        EventRepository(store, database="m").prepare(create=False)
