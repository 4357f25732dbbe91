"""What `doctor` makes of what a store tells: version, clock, columns, rights, settings."""

import pytest

from millstream.handlers.cli.doctor.clocks import judge_clock
from millstream.handlers.cli.doctor.findings import Level
from millstream.handlers.cli.doctor.rights import SYNTAX_ERROR, check_rights, judge_rights, needs_of
from millstream.handlers.cli.doctor.sent import judge_settings
from millstream.handlers.cli.doctor.store_checks import VERSION_QUERY, check_version
from millstream.handlers.cli.doctor.table import NULLABLE, TYPES, judge_columns
from millstream.handlers.cli.doctor.versions import judge_version, own_versions, parse_version
from millstream.handlers.events import EVENT_COLUMNS, create_events_table
from millstream.handlers.store import QueryError, Result
from millstream.handlers.testing import FakeStore

OURS = {column: (f"Nullable({kind})" if column in NULLABLE else kind, "") for column, kind in TYPES.items()}
TABLE = "`default`.`events`"


@pytest.mark.parametrize(
    ("version", "has_views", "level", "text"),
    [
        pytest.param("22.11.9.9", False, Level.FAILURE, "22.12 or newer", id="too old"),
        pytest.param("22.12.1.1", True, Level.OK, "22.12.1.1", id="the oldest"),
        pytest.param("26.7.2.1", False, Level.OK, "26.7.2.1", id="a fault of views without views"),
        pytest.param("26.7.2.1", True, Level.WARNING, "take 26.7.3.9 or newer", id="a fault of views"),
        pytest.param("26.7.3.9", True, Level.OK, "26.7.3.9", id="where it is mended"),
        pytest.param("26.6.2.97", True, Level.OK, "26.6.2.97", id="before it came"),
        pytest.param("26.6.2.98", True, Level.WARNING, "take 26.6.3.19", id="where it came"),
        pytest.param("26.3.99.1", True, Level.WARNING, "take another release", id="where it was never mended"),
        pytest.param("26.8.1.1", True, Level.OK, "26.8.1.1", id="a later release"),
        pytest.param("head", True, Level.WARNING, "nothing is known", id="no number"),
    ],
)
def test_versions_that_are_too_old_or_bad_are_told(version: str, has_views: bool, level: Level, text: str) -> None:
    """Expect the level, and the release to take."""
    found = judge_version(version, has_views=has_views)

    assert found.level is level
    assert text in found.text


def test_a_server_that_is_too_old_is_a_failure() -> None:
    """Expect a store that answers another version to be told so."""
    store = FakeStore()
    store.answers[VERSION_QUERY] = Result(("version()",), [("21.8.15.7",)])
    [found] = check_version(store, lambda: False)

    assert (found.level, found.subject) == (Level.FAILURE, "engine")
    assert found.text.startswith("ClickHouse 21.8.15.7 is too old, ")


def test_a_version_is_read_as_numbers() -> None:
    """Expect what follows them to be left out, and 10 to be more than 9."""
    assert parse_version("26.10.1.1-altinity") == (26, 10, 1, 1) > parse_version("26.9.2")


def test_the_line_of_versions_names_what_a_report_needs() -> None:
    """Expect the clients of both sides in it."""
    names = [each.rpartition(" ")[0] for each in own_versions().text.split(", ")]

    assert names == ["millstream", "Python", "confluent-kafka", "librdkafka", "clickhouse-connect", "chdb"]


@pytest.mark.parametrize(
    ("ahead", "error", "level"),
    [
        (0.0, 0.0, Level.OK),
        (-4.9, 0.0, Level.OK),
        (5.1, 0.0, Level.WARNING),
        (-5.1, 0.0, Level.WARNING),
        (6.0, 2.0, Level.OK),
    ],
)
def test_a_clock_is_another_one_from_5_s_on(ahead: float, error: float, level: Level) -> None:
    """Expect what the answer took not to count."""
    assert judge_clock(ahead, error).level is level


def test_the_side_of_a_wrong_clock_is_told() -> None:
    """Expect which of the two is ahead."""
    assert "7.0 s ahead of ours" in judge_clock(7.0, 0.0).text
    assert "7.0 s behind ours" in judge_clock(-7.0, 0.0).text


def test_the_types_are_those_of_the_table_that_the_code_makes() -> None:
    """Expect each column of the statement with its type, Nullable where it is there."""
    statement = create_events_table("default", "events")[-1]

    for column, (kind, _) in OURS.items():
        assert f"    {column} {kind}" in statement


def test_a_missing_column_is_told_with_what_adds_it() -> None:
    """Expect one line for all of them, and the statement."""
    found = {column: kind for column, kind in OURS.items() if column not in {"source", "timestamp"}}
    [line] = judge_columns("table", TABLE, found)

    assert line.level is Level.FAILURE
    added = "ADD COLUMN timestamp DateTime64(3, 'UTC'), ADD COLUMN source Nullable(String)"
    assert line.text == f"has no column `timestamp`, `source`: ALTER TABLE {TABLE} {added}"


@pytest.mark.parametrize(
    ("column", "kind", "level"),
    [
        ("id", ("LowCardinality(String)", ""), Level.OK),
        ("customer_id", ("LowCardinality(Nullable(String))", ""), Level.OK),
        ("timestamp", ("DateTime", ""), Level.WARNING),
        ("properties", ("JSON", ""), Level.WARNING),
        ("ingested_at", ("DateTime64(3, 'UTC')", "MATERIALIZED"), Level.OK),
        ("source", ("Nullable(String)", "ALIAS"), Level.FAILURE),
    ],
)
def test_a_column_of_another_kind_is_told(column: str, kind: tuple[str, str], level: Level) -> None:
    """Expect no word where it takes the same values."""
    found = [each.level for each in judge_columns("table", TABLE, {**OURS, column: kind})]

    assert found == [level]


def test_a_right_that_is_missing_is_told_with_its_grant() -> None:
    """Expect a failure for what a start or an INSERT needs, a warning for what people need."""
    needs = needs_of(TABLE)
    missing = list(judge_rights(needs, dict.fromkeys([need.right for need in needs], False)))
    all_there = list(judge_rights(needs, dict.fromkeys([need.right for need in needs], True)))

    assert [each.level for each in missing] == [Level.FAILURE, Level.FAILURE, Level.WARNING]
    assert f"GRANT INSERT({', '.join(EVENT_COLUMNS)}) ON {TABLE}" in missing[0].text
    assert [each.level for each in all_there] == [Level.OK]


def test_an_engine_without_check_grant_is_no_failure() -> None:
    """Expect the line to say that it was not looked at, and any other error to come through."""

    class Old(FakeStore):
        code = SYNTAX_ERROR

        def query(self, sql: str, *, read_only: bool = True) -> Result:
            raise QueryError("no", code=self.code)

    store = Old()
    found = list(check_rights(store, TABLE))
    store.code = 1

    assert [each.level for each in found] == [Level.SKIPPED]
    with pytest.raises(QueryError):
        list(check_rights(store, TABLE))


def test_settings_that_are_in_force_are_well() -> None:
    """Expect one line, whatever else a profile has changed."""
    sent = {"async_insert": 0, "deduplicate_insert": "enable"}
    found = list(judge_settings(sent, {"async_insert": "0", "deduplicate_insert": "enable"}, {"max_threads": "1"}))

    assert [each.line for each in found] == ["ok   settings of an INSERT: 2 sent, all in force"]


def test_a_setting_that_did_not_arrive_is_a_failure() -> None:
    """Expect what a proxy has dropped by name, with the value in its place."""
    sent = {"async_insert": 0, "insert_deduplicate": 1}
    [found] = judge_settings(sent, {"async_insert": "1", "insert_deduplicate": "1"}, {})

    assert found.level is Level.FAILURE
    assert "async_insert is 1, not 0" in found.text
    assert "insert_deduplicate" not in found.text


def test_a_setting_that_only_saves_work_is_nobodys_fault() -> None:
    """Expect no word of one that decides about no row, whatever a proxy or a profile makes of it."""
    name = "input_format_parallel_parsing"
    found = list(judge_settings({"async_insert": 0, name: 0}, {"async_insert": "0", name: "1"}, {name: "1"}))

    assert [each.line for each in found] == ["ok   settings of an INSERT: 1 sent, all in force"]


def test_a_hostile_profile_is_a_warning_as_every_insert_overrides_it() -> None:
    """Expect the first three settings by name, and how many there are besides."""
    sent = dict.fromkeys("abcde", 0)
    found = list(judge_settings(sent, dict.fromkeys("abcde", "0"), {**dict.fromkeys("abcd", "1"), "e": "0"}))

    assert [each.level for each in found] == [Level.OK, Level.WARNING]
    assert "sets a = 1, b = 1, c = 1 and 1 more: " in found[1].text
