"""Reading lines: numbers, offsets, compression, and files that are not what they seem."""

import collections
import gzip
import io
import itertools
import os
import pathlib

import pytest
import zstandard

from millstream.handlers.cli import lines
from millstream.handlers.cli.lines import Input, InputError, Line, read_lines
from millstream.router import Cancelled


def read(path, content):
    """Write *content* to *path* and return its lines."""
    path.write_bytes(content)
    return all_lines(path)


def all_lines(source):
    """Return every line of the input called *source*."""
    return list(itertools.chain.from_iterable(read_lines(Input(str(source)))))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b"a\nbb\n", [Line(1, 0, b"a"), Line(2, 2, b"bb")], id="two lines"),
        pytest.param(b"a\nbb", [Line(1, 0, b"a"), Line(2, 2, b"bb")], id="no line feed at the end"),
        pytest.param(b"\n\nx\n", [Line(1, 0, b""), Line(2, 1, b""), Line(3, 2, b"x")], id="blank lines"),
        pytest.param(b"\xef\xbb\xbfa\nb", [Line(1, 3, b"a"), Line(2, 5, b"b")], id="byte order mark"),
        pytest.param(b"a\r\nb\r\n", [Line(1, 0, b"a\r"), Line(2, 3, b"b\r")], id="carriage returns stay"),
    ],
)
def test_lines_have_numbers_and_offsets(tmp_path, content, expected):
    """Numbers count from 1, offsets from 0, in the uncompressed bytes."""
    assert read(tmp_path / "f", content) == expected


def test_offsets_hold_across_blocks(tmp_path, monkeypatch):
    """A line that spans blocks is whole, and every offset points at its line."""
    monkeypatch.setattr(lines, "BLOCK_BYTES", 7)
    content = b"".join(b"%d-%s\n" % (number, b"x" * number) for number in range(50))
    found = read(tmp_path / "f", content)

    assert [content[line.byte_offset :].split(b"\n", 1)[0] for line in found] == [line.raw for line in found]
    assert len(found) == 50


def test_of_a_very_long_line_the_beginning_is_kept_and_offsets_stay_right(tmp_path, monkeypatch):
    """A line longer than memory should hold is cut, and the next one is found where it is."""
    monkeypatch.setattr(lines, "BLOCK_BYTES", 10)
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 25)
    found = read(tmp_path / "f", b"x" * 95 + b"\nnext\n")

    assert found == [Line(1, 0, b"x" * 25), Line(2, 96, b"next")]


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [pytest.param(".gz", gzip.compress, id="gzip"), pytest.param(".zst", zstandard.compress, id="zstandard")],
)
def test_compression_goes_by_the_name(tmp_path, suffix, compress):
    """A compressed file reads as what was compressed, several frames one after the other too."""
    content = b"a\nb\n"

    assert [line.raw for line in read(tmp_path / f"f{suffix}", compress(content) + compress(b"c\n"))] == [
        b"a",
        b"b",
        b"c",
    ]


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [pytest.param(".gz", gzip.compress, id="gzip"), pytest.param(".zst", zstandard.compress, id="zstandard")],
)
def test_a_file_that_ends_early_gives_what_is_there_and_says_how_much(tmp_path, suffix, compress):
    """The lines before the cut are read, and the error counts them."""
    content = compress(b"".join(b"%032x\n" % (number * 7919**9) for number in range(20_000)))
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(content[: len(content) // 2])
    found = []
    blocks = read_lines(Input(str(path)))
    with pytest.raises(InputError, match="ends early") as caught:
        collections.deque(map(found.extend, blocks))

    assert 0 < len(found) < 20_000
    assert caught.value.lines == len(found)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_compressed_file_without_a_byte_ends_early(tmp_path, suffix):
    """Nothing compressed is empty: what is there was cut off at its beginning."""
    with pytest.raises(InputError, match="ends early"):
        read(tmp_path / f"empty{suffix}", b"")


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path, suffix):
    """Plain text under a compressed name is an error, not gibberish."""
    path = tmp_path / f"plain{suffix}"
    path.write_bytes(b"plain text\n" * 10)
    with pytest.raises(InputError, match=rf"plain{suffix}: is not what its name says"):
        all_lines(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda path: None, "No such file", id="missing"),
        pytest.param(lambda path: path.mkdir(), "Is a directory", id="a folder"),
    ],
)
def test_what_cannot_be_opened_is_named(tmp_path, make, reason):
    """The error says which input and why."""
    path = tmp_path / "input.ndjson"
    make(path)
    with pytest.raises(InputError, match=rf"input\.ndjson: {reason}"):
        Input(str(path))


def test_stdin_that_is_closed_is_named(monkeypatch):
    """A process may be started without any stdin."""
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="standard input is closed"):
        Input("-")


def open_files():
    """Return how many files this process has open."""
    return len(list(pathlib.Path("/proc/self/fd").iterdir()))


def test_many_inputs_need_few_open_files(tmp_path):
    """A file is looked at when it is named, but open only while it is read: there may be thousands."""
    path = tmp_path / "f"
    path.write_bytes(b"a\n")
    before = open_files()
    inputs = [Input(str(path)) for _ in range(100)]

    assert open_files() == before
    assert [len(list(read_lines(each))) for each in inputs] == [1] * 100
    assert inputs[0].read_bytes == inputs[0].size_bytes == 2


def test_reading_is_called_off_while_nothing_comes(tmp_path):
    """Who waits for a pipe that stays open and silent is let go."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    os.write(writer, b"one\ntwo")
    answers = iter([False, False, True])
    found = []
    try:
        with pytest.raises(Cancelled):
            collections.deque(map(found.extend, read_lines(Input(str(path)), lambda: next(answers))))
    finally:
        os.close(writer)

    assert [line.raw for line in found] == [b"one"]


def test_a_stdin_that_comes_byte_by_byte_is_recognised(tmp_path, monkeypatch):
    """The first bytes that tell the compression may come one at a time."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    content = gzip.compress(b"a\n")
    with os.fdopen(os.open(path, os.O_RDWR | os.O_NONBLOCK), "rb") as reader:
        writer = os.open(path, os.O_WRONLY)
        os.write(writer, content[:1])
        rest = iter([content[1:]])
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(reader))

        def feed():
            # Asked before each read: the second one finds the rest.
            if reader.closed:
                return True
            os.write(writer, next(rest, b""))
            return False

        blocks = read_lines(Input("-"), feed)
        found = next(lines for lines in blocks if lines)
        os.close(writer)

    assert [line.raw for line in found] == [b"a"]


@pytest.mark.parametrize(
    "compress",
    [
        pytest.param(bytes, id="plain"),
        pytest.param(gzip.compress, id="gzip"),
        pytest.param(zstandard.compress, id="zstandard"),
    ],
)
def test_stdin_is_recognised_by_its_first_bytes(monkeypatch, tmp_path, compress):
    """A compressed stream on stdin needs no name."""
    path = tmp_path / "stdin"
    path.write_bytes(compress(b"a\nb\n"))
    with path.open("rb") as file:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
        found = [line.raw for line in all_lines("-")]

    assert found == [b"a", b"b"]


GZ = gzip.compress(b"a\nb")  # no line feed at the end: its last line must not be lost
ZST = zstandard.compress(b"a\nb")
SKIPPABLE = [bytes([first]) + b"\x2a\x4d\x18\x03\x00\x00\x00abc" for first in (0x50, 0x5F)]


def read_in_blocks(path, content, block_bytes, monkeypatch):
    """Read *content* in blocks of *block_bytes*; return its lines and the input."""
    monkeypatch.setattr(lines, "COMPRESSED_BLOCK_BYTES", block_bytes)
    path.write_bytes(content)
    source = Input(str(path))
    return [line.raw for line in itertools.chain.from_iterable(read_lines(source))], source


BLOCKS = pytest.mark.parametrize("block_bytes", [1, 3, 64 * 1024])
"""What comes between frames is recognised wherever a read ends."""


@BLOCKS
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(GZ + bytes(1), [b"a", b"b"], id="one zero"),
        pytest.param(GZ + bytes(700), [b"a", b"b"], id="zeros up to the end of a block"),
        pytest.param(GZ + bytes(5) + GZ, [b"a", b"ba", b"b"], id="another member behind zeros"),
        pytest.param(GZ + gzip.compress(b"") + bytes(5), [b"a", b"b"], id="an empty member and zeros"),
    ],
)
def test_zeros_behind_a_gzip_member_are_padding(tmp_path, monkeypatch, content, expected, block_bytes):
    """Blocks and tapes are filled up with zeros: nothing is wrong with such a file, and nothing of it is lost."""
    found, source = read_in_blocks(tmp_path / "f.gz", content, block_bytes, monkeypatch)

    assert found == expected
    assert source.left_out_from is None


@BLOCKS
@pytest.mark.parametrize(
    ("name", "content", "tail"),
    [
        pytest.param("f.gz", GZ, b"x", id="gzip and a letter"),
        pytest.param("f.gz", GZ, b"\x1fx", id="gzip and half a magic number"),
        pytest.param("f.gz", GZ, b"garbage\n" * 9, id="gzip and text"),
        pytest.param("f.gz", GZ + bytes(9), b"garbage", id="gzip, zeros and text"),
        pytest.param("f.zst", ZST, bytes(5), id="zstandard and zeros, which are no padding there"),
        pytest.param("f.zst", ZST, b"\x5f\x2a\x4d\x19", id="zstandard and almost a magic number"),
    ],
)
def test_what_follows_the_compressed_data_and_is_none_is_left_out(
    tmp_path, monkeypatch, name, content, tail, block_bytes
):
    """Every line is read, also the last one without a line feed, and the place of what was left out is known."""
    found, source = read_in_blocks(tmp_path / name, content + tail, block_bytes, monkeypatch)

    assert found == [b"a", b"b"]
    assert source.left_out_from == len(content)


@BLOCKS
@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("f.gz", GZ + b"\x1f", id="gzip, in the magic number"),
        pytest.param("f.gz", GZ + GZ[:12], id="gzip, in the header"),
        pytest.param("f.zst", ZST + ZST[:2], id="zstandard, in the magic number"),
        pytest.param("f.zst", ZST + SKIPPABLE[0][:9], id="zstandard, in a skippable frame"),
    ],
)
def test_a_cut_in_a_later_frame_is_told(tmp_path, monkeypatch, name, content, block_bytes):
    """The beginning of another frame is no garbage: something is missing."""
    with pytest.raises(InputError, match="ends early"):
        read_in_blocks(tmp_path / name, content, block_bytes, monkeypatch)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(SKIPPABLE[0] + ZST, id="the first magic number"),
        pytest.param(SKIPPABLE[1] + ZST, id="the last magic number"),
        pytest.param(b"".join(SKIPPABLE) + ZST + SKIPPABLE[0], id="several, and one at the end"),
    ],
)
def test_skippable_frames_are_zstandard_on_stdin_too(monkeypatch, tmp_path, content):
    """A stream may begin with frames without content; it reads as the same bytes under a name do."""
    path = tmp_path / "f.zst"
    path.write_bytes(content)
    with path.open("rb") as file:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
        found = [line.raw for line in all_lines("-")]

    assert found == [line.raw for line in all_lines(path)] == [b"a", b"b"]


def test_text_that_begins_like_a_skippable_frame_stays_text(monkeypatch, tmp_path):
    """Only all four bytes tell a frame: 0x50 is the letter P."""
    path = tmp_path / "stdin"
    path.write_bytes(b"P*M")
    with path.open("rb") as file:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
        found = [line.raw for line in all_lines("-")]

    assert found == [b"P*M"]
