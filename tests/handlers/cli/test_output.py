"""Writing answers, without a store: memory, and stdout that cannot be written."""

import io
import re
import sys
from collections.abc import Iterator

import pytest

from millstream.handlers.cli.output import OutputFormat, lines_of, write_answer
from millstream.handlers.store import LineFormat
from millstream.handlers.testing import FakeStore
from millstream.router import ConfigurationError


class EndlessStore(FakeStore):
    """Answers with more lines than anybody takes; *taken* counts the chunks, *is_ended* says that its stream was closed."""

    def __init__(self, chunk: bytes, first: bytes = b"") -> None:
        super().__init__()
        self.chunk = chunk
        self.first = first
        self.taken = 0
        self.is_ended = False

    def stream(self, sql: str, line_format: LineFormat, *, read_only: bool = True) -> Iterator[bytes]:
        """Yield the same chunk for ever."""
        try:
            if self.first:
                yield self.first
            while True:
                self.taken += 1
                yield self.chunk
        finally:
            self.is_ended = True


class Full:
    """A stdout whose disk is full, or whose reader went away."""

    def __init__(self, error: OSError) -> None:
        self.error = error
        self.buffer = self

    def write(self, data: bytes) -> int:
        """Fail."""
        raise self.error


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(b'{"n":1}\n', id="a line a chunk"),
        pytest.param(b'{"n":1}\n' * 700, id="many lines a chunk"),
        pytest.param(b'1}\n{"n":', id="lines cut between chunks"),
    ],
)
def test_a_table_takes_no_more_than_it_shows(capsys, chunk: bytes) -> None:
    """A thousand rows below a head of two lines, wherever the lines are cut; the stream is closed early."""
    store = EndlessStore(chunk, first=b'{"n":' if chunk.startswith(b"1") else b"")
    write_answer(store, "SELECT", OutputFormat.TABLE, read_only=True)
    out = capsys.readouterr().out

    assert len(out.splitlines()) == 1_002
    assert store.is_ended
    assert store.taken <= 1_002


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        pytest.param(OSError(28, "No space left on device"), ConfigurationError, id="full"),
        pytest.param(BrokenPipeError(32, "Broken pipe"), BrokenPipeError, id="reader gone"),
    ],
)
def test_output_that_cannot_be_written_ends_the_statement(monkeypatch, error: OSError, raised: type[Exception]) -> None:
    """The first chunk is the last; the store's stream is closed."""
    store = EndlessStore(b"1\n")
    monkeypatch.setattr(sys, "stdout", Full(error))

    with pytest.raises(raised):
        write_answer(store, "SELECT", OutputFormat.TSV, read_only=True)

    assert store.taken == 1
    assert store.is_ended


def test_text_that_is_no_utf_8_does_not_break_the_table(capsys) -> None:
    """Stored text may be any bytes; the table shows what can be shown."""

    class Bytes(FakeStore):
        def stream(self, sql: str, line_format: LineFormat, *, read_only: bool = True) -> Iterator[bytes]:
            yield b'{"s":"a\xffb"}\n'

    write_answer(Bytes(), "SELECT", OutputFormat.TABLE, read_only=True)

    assert "a\N{REPLACEMENT CHARACTER}b" in capsys.readouterr().out


def test_the_default_is_for_programs_where_no_terminal_is(capsysbinary) -> None:
    """A pipe or a file gets tsv."""
    write_answer(Answer(b'{"n":1}\n', LineFormat.TSV), "SELECT", OutputFormat.AUTO, read_only=True)

    assert capsysbinary.readouterr().out == b'{"n":1}\n'


class Answer(FakeStore):
    """Answers with the lines it was given, if it is asked for them in the right format."""

    def __init__(self, lines: bytes, line_format: LineFormat = LineFormat.JSONL) -> None:
        super().__init__()
        self.lines = lines
        self.line_format = line_format

    def stream(self, sql: str, line_format: LineFormat, *, read_only: bool = True) -> Iterator[bytes]:
        """Yield the lines."""
        assert line_format is self.line_format
        yield self.lines


class Terminal(io.StringIO):
    """A stdout that somebody looks at."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def shown_on_a_terminal(
    monkeypatch, lines: bytes, output_format: OutputFormat, columns: int = 80, sql: str = "SELECT"
) -> list[str]:
    """Return the lines that a terminal of so many columns gets, without colours."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", Terminal())
    write_answer(Answer(lines), sql, output_format, read_only=True)
    return re.sub(r"\x1b\[[0-9;]*m", "", sys.stdout.getvalue()).splitlines()


WIDE = b"".join(b'{"id":%d,"name":"%b","missing":null}\n' % (number, b"x" * 70) for number in range(2))


@pytest.mark.parametrize(
    ("columns", "is_table"),
    [pytest.param(87, True, id="it fits"), pytest.param(86, False, id="a character too narrow")],
)
def test_a_table_that_is_too_wide_for_the_terminal_is_vertical(monkeypatch, columns: int, is_table: bool) -> None:
    """To the character, so that no cell is folded; no line is longer than the longest value makes it."""
    lines = shown_on_a_terminal(monkeypatch, WIDE, OutputFormat.AUTO, columns)

    assert (lines[0].split() == ["id", "name", "missing"]) == is_table
    assert ("Row 1:" in lines) != is_table
    assert max(map(len, lines)) <= columns


@pytest.mark.parametrize(
    ("sql", "output_format", "is_shorter"),
    [
        ("DESCRIBE TABLE events", OutputFormat.AUTO, True),
        ("desc events", OutputFormat.AUTO, True),
        ("DESCRIBE TABLE events", OutputFormat.TABLE, False),
        ("SELECT description FROM events", OutputFormat.AUTO, False),
    ],
)
def test_describe_shows_no_column_that_is_empty_throughout(monkeypatch, sql, output_format, is_shorter) -> None:
    """On a terminal, where nobody said how: most tables have no codecs, comments and time limits."""
    lines = b'{"name":"id","codec":"","default":""}\n{"name":"at","codec":"","default":"now()"}\n'
    shown = shown_on_a_terminal(monkeypatch, lines, output_format, sql=sql)

    assert shown[0].split() == (["name", "default"] if is_shorter else ["name", "codec", "default"])


def test_a_table_that_was_asked_for_is_one_however_wide(monkeypatch) -> None:
    """Its cells are folded to the width of the terminal, and nothing of them is lost."""
    lines = shown_on_a_terminal(monkeypatch, WIDE, OutputFormat.TABLE, 40)

    assert lines[0].split() == ["id", "name", "missing"]
    assert sum(line.count("x") for line in lines) == 140
    assert max(map(len, lines)) <= 40


def test_vertical_has_a_column_a_line(capsys) -> None:
    """As clickhouse-client has it; a value of several lines stays in its place, and nothing in it is obeyed."""
    lines = b'{"id":18446744073709551615,"statement":"CREATE\\nid: 7","c\\u001b":null}\n{"id":2,"statement":"","c\\u001b":[1]}\n'
    write_answer(Answer(lines), "SELECT", OutputFormat.VERTICAL, read_only=True)

    assert capsys.readouterr().out == (
        "Row 1:\n──────\nid:        18446744073709551615\nstatement: CREATE\n           id: 7\nc\\x1b:     NULL\n\n"
        "Row 2:\n──────\nid:        2\nstatement: \nc\\x1b:     [1]\n\n"
    )


def test_vertical_writes_all_rows(capsys) -> None:
    """There is no limit, as there is none to its width."""
    write_answer(Answer(b'{"n":1}\n' * 1500), "SELECT", OutputFormat.VERTICAL, read_only=True)
    out, err = capsys.readouterr()

    assert out.count("n: 1\n") == 1500
    assert "Row 1500:\n" in out
    assert err == ""


def test_no_rows_are_told_in_vertical_too(capsys) -> None:
    """Stdout stays empty."""
    write_answer(Answer(b""), "SELECT", OutputFormat.VERTICAL, read_only=True)

    assert capsys.readouterr() == ("", "millstream: no rows\n")


@pytest.mark.parametrize(
    ("output_format", "lines"),
    [
        (OutputFormat.TSV, b"a\\tb\\\\c\\n\t7\n"),
        (OutputFormat.CSV, b'"a\tb\\c\n",7\n'),
        (OutputFormat.JSONL, b'{"what":"a\\tb\\\\c\\n","count":7}\n'),
    ],
)
def test_rows_of_our_own_are_written_as_the_store_writes_its_own(output_format, lines) -> None:
    """A line each, whatever is in a value."""
    assert lines_of([{"what": "a\tb\\c\n", "count": 7}], output_format) == lines
