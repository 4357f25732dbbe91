"""Engine texts made into reasons."""

import pytest

from millstream.handlers.store.reasons import (
    error_name,
    failed_view,
    http_status,
    row_hint,
    row_reason,
    shards_written,
    short_reason,
)

PARSE_TEXT = (
    "Code: 41. DB::Exception: Code: 41. DB::Exception: Cannot read DateTime: unexpected word: (while reading the value of"
    " key timestamp): (at row 50001)\n: (in file/uri /var/tmp/tmp1.raw): While executing ParallelParsingBlockInputFormat:"
    " While executing File: data for INSERT was parsed from file. (CANNOT_PARSE_DATETIME)"
)
HTTP_TEXT = (
    "Received ClickHouse exception, code: 60, server response: Code: 60. DB::Exception: Table m.nope does not exist."
    " (UNKNOWN_TABLE) (version 26.7.2.1 (official build)) (for url http://127.0.0.1:8123)"
)
CONSTRAINT_TEXT = (
    "Code: 469. DB::Exception: Constraint `c` for table m.t (0f12) is violated at row 3. Expression: (id != ''). Column"
    " values: id = 'hush', note = 'hush)'. (VIOLATED_CONSTRAINT)"
)
VIEW = ": while pushing to view"
SHARDS = (
    "Insertion status:\nWrote 1 blocks and 2 rows on shard 0 replica 0, 127.0.0.1:9000 (average 0 ms per block)\n"
    "Wrote 0 blocks and 0 rows on shard 1 replica 0, shard-2:9000\n"
)
LINE = SHARDS.splitlines(keepends=True)[1]
SHARDS_TEXT = f"Code: 469. DB::Exception: x: {SHARDS}. (VIOLATED_CONSTRAINT) (version 26.7.2.1) (for url http://h:8123)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            PARSE_TEXT,
            "Cannot read DateTime: unexpected word: (while reading the value of key timestamp): (at row 50001)",
            id="embedded, twice wrapped",
        ),
        pytest.param(HTTP_TEXT, "Table m.nope does not exist", id="over HTTP"),
        pytest.param("Setting async_insert is readonly", "Setting async_insert is readonly", id="the driver's own"),
        pytest.param("a\n  b", "a b", id="several lines"),
        pytest.param(SHARDS_TEXT, "x", id="of a shard"),
    ],
)
def test_reason_is_what_is_left_without_the_wrapping(text, expected):
    """Codes, file names, processing steps, version and address are taken away."""
    reason = short_reason(text)

    assert reason == expected


def test_long_reason_is_cut():
    """A reason is at most 300 characters, with a mark where it was cut."""
    reason = short_reason("x" * 5000)

    assert reason == "x" * 299 + "…"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(CONSTRAINT_TEXT, id="values of the row"),
        pytest.param("Cannot parse input: expected '{' before: 'hush it\\'s': (at row 2)", id="text near the fault"),
        pytest.param("Cannot parse string 'hush' as UInt8 (at row 2)", id="the value itself"),
        pytest.param(
            'Cannot parse uuid hush"}: (while reading the value of key id): (at row 2)', id="a value without quotes"
        ),
    ],
)
def test_reason_for_a_row_holds_no_value_of_it(text):
    """Event data does not get into a reason."""
    reason = row_reason(text)

    assert "hush" not in reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "Cannot read floating point value here: : (while reading the value of key value): (at row 1)",
            "Cannot read floating point value here: (while reading the value of key value)",
        ),
        (
            'Cannot parse IPv4 .1.1"}: (while reading the value of key ip): (at row 1)',
            "Cannot parse IPv4: (while reading the value of key ip)",
        ),
        ("Constraint `c` is violated at row 1. Expression: x", "Constraint `c` is violated. Expression: x"),
        ("Constraint `c` is violated at row 12. Expression: x", "Constraint `c` is violated at row 12. Expression: x"),
        ("Cannot parse input: expected ',': (at row 17)", "Cannot parse input: expected ',': (at row 17)"),
    ],
)
def test_reason_for_a_row_says_nothing_that_says_nothing(text, reason):
    """Neither the number of the only row, nor the place of a value that the engine leaves out."""
    assert row_reason(text) == reason


@pytest.mark.parametrize(
    ("text", "row"),
    [
        pytest.param(PARSE_TEXT, 50_001, id="parse error"),
        pytest.param(CONSTRAINT_TEXT, 3, id="constraint"),
        pytest.param(HTTP_TEXT, None, id="no row"),
    ],
)
def test_row_is_taken_from_the_text(text, row):
    """The row that the engine points at is found, counted from 1."""
    found = row_hint(text)

    assert found == row


def test_status_is_taken_from_the_drivers_text():
    """An answer without a ClickHouse code still shows its HTTP status."""
    found = [http_status("HTTP driver received HTTP status 502, server response: oops"), http_status(HTTP_TEXT)]

    assert found == [502, None]


@pytest.mark.parametrize(
    ("text", "view"),
    [
        pytest.param(f"Code: 72. DB::Exception: x{VIEW} d.v. (CANNOT_PARSE_NUMBER)", "d.v", id="embedded"),
        pytest.param(
            f"Code: 6. DB::Exception: x{VIEW} d.v (0f12b0a4-1b2c-4d5e-8f90-a1b2c3d4e5f6). (CANNOT_PARSE_TEXT)"
            " (version 26.7.2.1 (official build)) (for url http://127.0.0.1:8123)",
            "d.v",
            id="with its number, over HTTP",
        ),
        pytest.param(f"x{VIEW} d.`a. b`. (SOME_ERROR)", "d.`a. b`", id="name that is quoted"),
        pytest.param(f"x{VIEW} d.inner{VIEW} d.outer. (SOME_ERROR)", "d.inner", id="view upon a view"),
        pytest.param(f"x{VIEW} d.v: While executing FinalizingViewsTransform. (SOME_ERROR)", "d.v", id="with a step"),
        pytest.param(f"x{VIEW} d.v: {SHARDS}. (SOME_ERROR) (version 26.7.2.1)", "d.v", id="on a shard"),
        pytest.param(f"x{VIEW} d.v: {SHARDS}{LINE * 200}. (SOME_ERROR)", "d.v", id="on one of many shards"),
        pytest.param(HTTP_TEXT, None, id="no view"),
        pytest.param(f"x. Column values: id = '{VIEW} d.v'. (VIOLATED_CONSTRAINT)", None, id="words of a row"),
        pytest.param(f"Cannot read here: {VIEW} d.v: (at row 2). (CANNOT_PARSE_NUMBER)", None, id="words in between"),
        pytest.param(f"x. Column values: id = '{VIEW} d.v{VIEW} d.v{VIEW} d.'. (X_Y)", None, id="many words of a row"),
    ],
)
def test_view_that_failed_is_named_by_the_end_of_the_text(text, view):
    """Only what the engine appends counts: an event that holds the same words stops nobody."""
    assert failed_view(text) == view


def test_words_of_a_view_in_a_huge_row_take_no_time():
    """A row of some megabytes full of these words is looked at from its end only."""
    assert failed_view(f"x. Column values: id = '{f'{VIEW} d.v' * 200_000}'. (VIOLATED_CONSTRAINT)") is None


@pytest.mark.parametrize(
    ("text", "count"),
    [
        pytest.param(SHARDS_TEXT, 2, id="two"),
        pytest.param(f"x: Insertion status:\n{LINE}. (X_Y)", 1, id="one"),
        pytest.param(CONSTRAINT_TEXT, 0, id="no Distributed table"),
        pytest.param(f"x. Column values: id = '{SHARDS}'. (VIOLATED_CONSTRAINT)", 0, id="words of a row"),
        pytest.param(f"x. Column values: id = '{SHARDS}': {SHARDS}. (VIOLATED_CONSTRAINT)", 2, id="words and shards"),
    ],
)
def test_shards_are_counted_at_the_end_of_the_text(text, count):
    """Only what the engine appends counts, as with views."""
    assert shards_written(text) == count


def test_name_of_the_error_is_taken_from_the_text():
    """It says what went wrong without quoting a value."""
    assert [error_name(HTTP_TEXT), error_name(CONSTRAINT_TEXT), error_name("oops")] == [
        "UNKNOWN_TABLE",
        "VIOLATED_CONSTRAINT",
        "",
    ]
