"""What the lines of a file become before they are handed to Kafka."""

import pytest

from millstream.handlers.cli.event_files import CHUNK_LINES
from millstream.handlers.cli.lines import Line
from millstream.handlers.cli.publish_chunks import CHUNK_BYTES, make_chunks
from tests.handlers.cli.command_aids import make_payload

LIMIT = 1_000_000


def lines_of(*raw):
    """Return lines with numbers from 1."""
    return [Line(number, 0, each) for number, each in enumerate(raw, start=1)]


def chunked(lines, limit=LIMIT):
    """Return the line numbers of each chunk, and the numbers and reasons of what was refused."""
    refused = []
    chunks = list(make_chunks(lines, limit, lambda line, reason: refused.append((line.number, reason))))
    assert all([message.payload for message in chunk] == [line.raw for line in origins] for chunk, origins in chunks)
    return [[line.number for line in origins] for _, origins in chunks], refused


@pytest.mark.parametrize(
    ("raw", "sizes"),
    [
        pytest.param([], [], id="no lines"),
        pytest.param([b"", b"  ", b"\t"], [], id="blank lines"),
        pytest.param([make_payload()] * CHUNK_LINES, [CHUNK_LINES], id="as many as a chunk has"),
        pytest.param([make_payload()] * (CHUNK_LINES + 1), [CHUNK_LINES, 1], id="one more"),
        pytest.param([make_payload(properties={"a": "x" * (CHUNK_BYTES // 2)})] * 3, [2, 1], id="long lines"),
    ],
)
def test_a_chunk_ends_at_so_many_lines_or_bytes(raw, sizes):
    """Every event is in one chunk, in order."""
    chunks, refused = chunked(lines_of(*raw))

    assert [len(chunk) for chunk in chunks] == sizes
    assert refused == []


def test_a_line_that_is_no_event_is_refused_and_the_rest_goes_on():
    """The reason names what is wrong, and the line leaves no gap in the chunk."""
    chunks, refused = chunked(lines_of(make_payload(), b"bad", make_payload(tenant_id=""), make_payload()))

    assert chunks == [[1, 4]]
    assert [number for number, _ in refused] == [2, 3]
    assert "tenant_id" in refused[1][1]


@pytest.mark.parametrize(
    ("room", "is_refused"),
    [pytest.param(0, True, id="without room for key and headers"), pytest.param(1000, False, id="with room for both")],
)
def test_what_a_record_has_around_the_line_counts_against_the_limit(room, is_refused):
    """A line below the limit may be above it as a record: Kafka would refuse the whole request."""
    line = make_payload(properties={"a": "x" * 5000})
    _, refused = chunked(lines_of(line), len(line) + room)

    assert bool(refused) is is_refused
