"""What becomes of a table that is not as it should be: decided from values alone."""

import msgspec
import pytest

from millstream.handlers.events.schema import EVENT_COLUMNS, EVENTS_TABLE
from millstream.handlers.store.table_look import FoundColumn, FoundTable
from millstream.handlers.store.table_plan import Change, Drift, plan_table
from millstream.handlers.store.table_shape import IndexShape

ALTER = "ALTER TABLE `d`.`t` "
OURS = FoundTable(
    engine="ReplacingMergeTree",
    version="ingested_at",
    columns={
        each.name: FoundColumn(each.type, "DEFAULT" if each.default else "", each.default, each.name == "timestamp")
        for each in EVENTS_TABLE.columns
    },
    constraints=EVENTS_TABLE.constraints,
    indexes=EVENTS_TABLE.indexes,
    partition_key=EVENTS_TABLE.partition_key,
    primary_key=EVENTS_TABLE.primary_key,
    sorting_key=EVENTS_TABLE.sorting_key,
    settings={name: str(value) for name, value in EVENTS_TABLE.settings.items()}
    | {"non_replicated_deduplication_window": "10000", "replicated_deduplication_window": "10000", "async_insert": "0"},
)


def plan(**changes):
    """Return what is planned for our table with *changes*."""
    return plan_table(msgspec.structs.replace(OURS, **changes), EVENTS_TABLE, "`d`.`t`", EVENT_COLUMNS)


def with_column(name, **changes):
    """Return our columns with one that is otherwise."""
    return {**OURS.columns, name: msgspec.structs.replace(OURS.columns[name], **changes)}


def without(mapping, name):
    """Return *mapping* without *name*."""
    return {key: value for key, value in mapping.items() if key != name}


def test_a_table_that_is_as_it_should_be_is_left():
    """Expect nothing to be planned, so that a second run changes nothing."""
    assert plan() == []


def test_what_others_have_beside_ours_is_left_without_a_word():
    """Expect columns and indexes of somebody else to be no difference."""
    columns = {**OURS.columns, "region": FoundColumn("String")}
    indexes = {**OURS.indexes, "by_region": IndexShape("region", "set(0)", 1)}

    assert plan(columns=columns, indexes=indexes) == []


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        pytest.param(
            {"columns": without(OURS.columns, "source")},
            "ADD COLUMN IF NOT EXISTS source Nullable(String)",
            id="column",
        ),
        pytest.param(
            {"columns": without(OURS.columns, "properties")},
            "ADD COLUMN IF NOT EXISTS properties String DEFAULT '{}'",
            id="column with its default",
        ),
        pytest.param(
            {"columns": with_column("properties", kind="", expression="")},
            "MODIFY COLUMN properties DEFAULT '{}'",
            id="default",
        ),
        pytest.param(
            {"columns": with_column("ingested_at", expression="now()")},
            "MODIFY COLUMN ingested_at DEFAULT now64(3, 'UTC')",
            id="older default",
        ),
        pytest.param(
            {"columns": with_column("ingested_at", type="DateTime64(3, 'Europe/Berlin')", expression="now()")},
            "MODIFY COLUMN ingested_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')",
            id="zone and default",
        ),
        pytest.param(
            {"columns": with_column("timestamp", type="DateTime64(3)"), "zone": "Etc/UTC"},
            "MODIFY COLUMN timestamp DateTime64(3, 'UTC')",
            id="zone of the partition key, where it is the same one",
        ),
        pytest.param(
            {"constraints": without(OURS.constraints, "check_event_id")},
            "ADD CONSTRAINT IF NOT EXISTS check_event_id CHECK id != ''",
            id="constraint",
        ),
        pytest.param(
            {"indexes": without(OURS.indexes, "set_source")},
            "ADD INDEX IF NOT EXISTS set_source source TYPE set(0) GRANULARITY 8192",
            id="index",
        ),
        pytest.param(
            {"settings": {**OURS.settings, "async_insert": "1"}}, "MODIFY SETTING async_insert = 0", id="async inserts"
        ),
        pytest.param(
            {"settings": {**OURS.settings, "non_replicated_deduplication_window": "0"}},
            "MODIFY SETTING non_replicated_deduplication_window = 10000",
            id="no window",
        ),
        pytest.param(
            {"settings": {**OURS.settings, "replicated_deduplication_window": "1000"}, "is_replicated": True},
            "MODIFY SETTING replicated_deduplication_window = 10000",
            id="smaller window of a replicated table",
        ),
    ],
)
def test_what_is_missing_is_added(changes, action):
    """Expect one statement, which takes nothing away and rewrites nothing."""
    [change] = plan(**changes)

    assert isinstance(change, Change)
    assert change.sql == f"{ALTER}{action}"


def test_a_larger_window_is_left():
    """Expect nobody's window to be made smaller."""
    assert plan(settings={**OURS.settings, "non_replicated_deduplication_window": "50000"}) == []


def test_a_constraint_or_an_index_under_another_name_is_one():
    """Expect what says the same not to be added again."""
    constraints = {**without(OURS.constraints, "check_event_id"), "has_id": "id != ''"}
    indexes = {**without(OURS.indexes, "set_source"), "sources": OURS.indexes["set_source"]}

    assert plan(constraints=constraints, indexes=indexes) == []


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("is_own", [True, False], ids=["of the column", "of the server"])
def test_the_zone_of_a_partition_key_is_never_changed(zone, is_own):
    """Expect it to be named: the engine would change it, and queries by a day would miss rows of older parts."""
    type_of = f"DateTime64(3, '{zone}')" if is_own else "DateTime64(3)"
    [drift] = plan(columns=with_column("timestamp", type=type_of), zone="UTC" if is_own else zone)

    assert isinstance(drift, Drift)
    assert type_of in drift.text
    assert "would miss older rows" in drift.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param(
            {"columns": with_column("external_customer_id", type="Nullable(String)")},
            "column external_customer_id is Nullable(String), not String",
            id="type",
        ),
        pytest.param(
            {"columns": with_column("ingested_at", type="DateTime64(6, 'UTC')")},
            "column ingested_at is DateTime64(6, 'UTC'), not",
            id="precision",
        ),
        pytest.param(
            {"columns": with_column("properties", expression="'none'")},
            "default of column properties is 'none'",
            id="default",
        ),
        pytest.param(
            {"constraints": {**OURS.constraints, "check_event_id": "id != '0'"}},
            "constraint check_event_id is CHECK id != '0', not id != ''",
            id="constraint",
        ),
        pytest.param(
            {"constraints": {**OURS.constraints, "known": "event_name IN ('a', 'b')"}},
            "constraint known CHECK event_name IN ('a', 'b') is none of ours",
            id="another constraint",
        ),
        pytest.param(
            {"indexes": {**OURS.indexes, "set_source": IndexShape("source", "set(100)", 1)}},
            "index set_source is source TYPE set(100) GRANULARITY 1, not",
            id="index",
        ),
        pytest.param(
            {"engine": "MergeTree", "version": ""},
            "its engine is MergeTree, not ReplacingMergeTree(ingested_at)",
            id="engine",
        ),
        pytest.param({"version": "timestamp"}, "ReplacingMergeTree(timestamp), not", id="version"),
        pytest.param(
            {"partition_key": "toYYYYMM(timestamp)"}, "its partition key is toYYYYMM(timestamp)", id="partition"
        ),
        pytest.param({"partition_key": ""}, "its partition key is none, not", id="no partition"),
        pytest.param({"sorting_key": "id"}, "its sorting key is id, not", id="sorting key"),
        pytest.param(
            {"settings": {**OURS.settings, "parts_to_throw_insert": "3000"}},
            "its settings: parts_to_throw_insert = 3000, not 400",
            id="setting",
        ),
    ],
)
def test_what_would_rewrite_or_undo_something_is_named(changes, words):
    """Expect one line with both sides, and no statement; events can be stored all the same."""
    [drift] = plan(**changes)

    assert isinstance(drift, Drift)
    assert words in drift.text
    assert "left as " in drift.text
    assert not drift.is_fatal


@pytest.mark.parametrize("key", ["id", "tenant_id", "environment_id", "timestamp"])
def test_another_kind_of_table_is_not_touched(key):
    """Expect a table that a slip in the settings has named to get no columns and constraints of ours."""
    [drift] = plan(columns=without(OURS.columns, key), constraints={}, indexes={})

    assert isinstance(drift, Drift)
    assert drift.is_fatal
    assert f"no column {key}" in drift.text
    assert "[clickhouse] table" in drift.text


def test_a_column_that_keeps_no_value_is_fatal():
    """Expect it to be named as such, as no event could be stored."""
    [drift] = plan(columns=with_column("source", kind="MATERIALIZED", expression="'x'"))

    assert drift == Drift("column source is MATERIALIZED and keeps no value of an event: left as it is", is_fatal=True)


def test_a_table_that_stands_on_others_is_only_looked_at():
    """Expect its engine to be named, and what its own tables lack not to be looked for here."""
    [drift] = plan(engine="Distributed", version="", constraints={}, indexes={}, partition_key="", settings={})

    assert isinstance(drift, Drift)
    assert not drift.is_fatal
    assert "its engine is Distributed" in drift.text


def test_a_table_that_stands_on_others_and_lacks_a_column_is_fatal():
    """Expect both to be named."""
    engine, column = plan(engine="Distributed", columns=without(OURS.columns, "source"))

    assert not engine.is_fatal
    assert column == Drift("it has no column source: left as it is", is_fatal=True)


def test_a_view_is_fatal():
    """Expect it to be named as such, as it takes no INSERT."""
    [drift] = plan(engine="View", version="")

    assert drift.is_fatal


def test_no_statement_takes_anything_away():
    """Expect the plan for a table that lacks everything to add only."""
    keys = {name: OURS.columns[name] for name in EVENTS_TABLE.sorting_key.split(", ")}
    bare = plan(columns=keys, constraints={}, indexes={}, settings={"async_insert": "1"})
    verbs = {each.sql.removeprefix(ALTER).split()[0] for each in bare if isinstance(each, Change)}

    assert verbs == {"ADD", "MODIFY"}
    assert len(bare) == len(EVENTS_TABLE.columns) - len(keys) + 4 + 3 + 2
