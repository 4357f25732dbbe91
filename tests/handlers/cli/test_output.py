"""Writing answers, without a store: memory, and stdout that cannot be written."""

import sys
from collections.abc import Iterator

import pytest

from millstream.handlers.cli.output import OutputFormat, default_format, write_answer
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


def test_the_default_is_for_programs_where_no_terminal_is(capsys) -> None:
    """A pipe or a file gets tsv."""
    chosen = default_format()

    assert chosen is OutputFormat.TSV
