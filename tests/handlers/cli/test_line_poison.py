"""Where `ingest` sets lines aside, and what it never overwrites or removes."""

from pathlib import Path

import pytest

from millstream.handlers.cli.line_poison import NUMBER, OFFSET, SOURCE, LinePoison
from millstream.handlers.cli.lines import Input
from millstream.router import ConfigurationError, Message
from millstream.router.poison import REASON
from tests.handlers.cli.command_aids import make_payload, poison_records


def refused(source, text):
    """Return the poison record of a line of the input at the place *source*."""
    metadata = {SOURCE: str(source), NUMBER: "1", OFFSET: "0", REASON: "bad"}
    return Message(text.encode(), metadata=metadata)


def test_two_names_of_one_poison_file_are_one_file(tmp_path, monkeypatch):
    """An input that is named twice in different ways has one poison file, which holds the records of both."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").write_bytes(b"")
    sink = LinePoison([Input("in"), Input(str(tmp_path / "in"))], None)
    sink.write([refused(0, "first")])
    sink.write([refused(1, "second")])
    sink.write([refused(0, "third")])
    sink.close()

    assert [record["raw"] for record in poison_records(tmp_path / "in.poison.ndjson")] == ["first", "second", "third"]
    assert {path.name: first for path, first in sink.used().items()} == {"in.poison.ndjson": "line 1: bad"}


def test_a_file_of_events_is_never_taken_for_a_poison_file(tmp_path):
    """Whoever names another input after --poison keeps it: it would be replaced, or removed after a clean run."""
    (tmp_path / "in").write_bytes(b"")
    (tmp_path / "precious").write_bytes(make_payload() + b"\n")
    with pytest.raises(ConfigurationError, match="precious holds events"):
        LinePoison([Input(str(tmp_path / "in"))], tmp_path / "precious")


def test_a_poison_file_in_no_folder_is_refused(tmp_path):
    """A folder that is named after --poison and is missing is told before anything is read."""
    (tmp_path / "in").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="No such file or directory"):
        LinePoison([Input(str(tmp_path / "in"))], tmp_path / "missing" / "poison")


def test_a_poison_file_that_can_never_be_written_is_told_once(tmp_path):
    """A missing folder mends itself no more than a missing right: whoever runs the ingest hears of it, and the lines stay."""
    told = []
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "in").write_bytes(b"")
    sink = LinePoison([Input(str(tmp_path / "folder" / "in"))], None)
    sink.on_unwritable = told.append
    (tmp_path / "folder" / "in").unlink()
    (tmp_path / "folder").rmdir()
    with pytest.raises(FileNotFoundError):
        sink.write([refused(0, "first")])

    assert len(told) == 1
    assert isinstance(told[0], ConfigurationError)
    assert "in.poison.ndjson: No such file or directory" in str(told[0])


def test_what_cannot_be_removed_is_returned(tmp_path):
    """A poison file of an earlier run that stays is named, with the reason."""
    (tmp_path / "in").write_bytes(b"")
    stale = tmp_path / "in.poison.ndjson"
    stale.mkdir()
    by_default = LinePoison([Input(str(tmp_path / "in"))], None)
    protected = LinePoison([Input(str(tmp_path / "in"))], Path("/proc/self/comm"))

    assert by_default.remove_stale() == []
    assert stale.is_dir()
    assert [str(path) for path, _ in protected.remove_stale()] == ["/proc/self/comm"]
