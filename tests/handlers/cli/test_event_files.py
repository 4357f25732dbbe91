"""The files that `ingest` and `publish` read, and what they say of them."""

import pytest

from millstream.handlers.cli.event_files import EventFiles
from millstream.handlers.cli.line_poison import poison_path
from millstream.router import ConfigurationError


def go_on():
    """Call nothing off."""
    return False


@pytest.fixture
def names(tmp_path):
    """Two files of two and one lines."""
    (tmp_path / "a.ndjson").write_bytes(b"one\ntwo\n")
    (tmp_path / "b.ndjson").write_bytes(b"three\n")
    return [str(tmp_path / "a.ndjson"), str(tmp_path / "b.ndjson")]


def test_lines_come_in_order_with_the_place_of_their_file(names):
    """The files are read one after the other, and every line is counted."""
    files = EventFiles(names, None, None)
    read = [(place, line.raw) for place, lines in files.read(go_on) for line in lines]

    assert read == [(0, b"one"), (0, b"two"), (1, b"three")]
    assert files.lines == 3


def test_the_part_that_was_read_counts_bytes_over_all_files(names):
    """Eight of fourteen bytes are read when the first file is."""
    files = EventFiles(names, None, None)
    blocks = files.read(go_on)
    before = files.part_read()
    next(blocks)
    between = files.part_read()
    list(blocks)

    assert (before, between, files.part_read()) == (0.0, pytest.approx(8 / 14), 1.0)


def test_the_part_that_is_done_leaves_out_what_is_pending(names):
    """A file that is read whole is not done before the outcome of its lines is known."""
    files = EventFiles(names, None, None)
    before = files.part_done(0)
    list(files.read(go_on))

    assert before == 0.0
    assert [files.part_done(pending) for pending in (3, 1, 0)] == [0.0, pytest.approx(2 / 3), 1.0]


def test_nothing_to_read_is_no_part(tmp_path):
    """Of an empty file no part can be told."""
    (tmp_path / "empty").touch()

    assert EventFiles([str(tmp_path / "empty")], None, None).part_read() is None


def test_stdin_can_be_named_only_once():
    """It is refused before anything is read."""
    with pytest.raises(ConfigurationError, match="stdin can be read only once"):
        EventFiles(["-", "-"], None, None)


@pytest.mark.parametrize(
    ("is_whole", "remains"), [pytest.param(True, False, id="whole"), pytest.param(False, True, id="in part")]
)
def test_poison_file_of_an_earlier_run_is_removed_by_a_whole_run(names, capsys, is_whole, remains):
    """It speaks of lines that are done now, unless this run has not read them all."""
    files = EventFiles(names[:1], None, None)
    stale = poison_path(names[0])
    stale.write_text('{"line": 1}\n')
    files.summarize("stored 2 lines 2", 2, 0.5, is_whole=is_whole)

    assert stale.exists() is remains
    assert capsys.readouterr().err == "stored 2 lines 2 in 0.5 s (4 events/s)\n"
