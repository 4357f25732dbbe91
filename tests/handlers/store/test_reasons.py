"""Engine texts made into reasons."""

import pytest

from millstream.handlers.store.reasons import http_status, row_hint, row_reason, short_reason

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
    ],
)
def test_reason_for_a_row_holds_no_value_of_it(text):
    """Event data does not get into a reason."""
    reason = row_reason(text)

    assert "hush" not in reason


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
