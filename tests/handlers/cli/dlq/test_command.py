"""What `millstream dlq` does without a broker. What it refuses is in the table of wrong inputs."""

import json

from millstream.handlers.cli.dlq.file_notes import add_notes, hash_of
from tests.handlers.cli.main_in_process import run_main


def test_a_poison_file_is_listed_and_shown_without_a_broker(tmp_path, capsys):
    """As lanes write it, and as `ingest` does."""
    lane = {
        "uuid": "u",
        "metadata": {"reason_poisoned": "row 1", "time_poisoned": "2026-11-28T16:00:00Z"},
        "payload": "{}",
    }
    line = {"line": 2, "byte_offset": 177, "reason": "row 2", "raw": "no event"}
    (tmp_path / "poison.ndjson").write_text(f"{json.dumps(lane)}\n{json.dumps(line)}\n")
    listed = run_main("dlq", "list", "--file", "poison.ndjson", folder=tmp_path), capsys.readouterr().out
    shown = (
        run_main("dlq", "show", "--file", "poison.ndjson", "--reason", "row 2", folder=tmp_path),
        capsys.readouterr().out,
    )
    nothing = (
        run_main("dlq", "show", "--file", "poison.ndjson", "--uuid", "v", folder=tmp_path),
        capsys.readouterr().err,
    )

    assert listed[0] == 0
    assert listed[1].splitlines()[1] == "poison.ndjson\treason\trow #\t2\t0\t2026-11-28 16:00:00\t2026-11-28 16:00:00"
    assert shown[0] == 0
    assert "came from  line 2 (byte 177) of its input\n" in shown[1]
    assert shown[1].endswith("payload, 8 bytes, text:\nno event\n")
    assert nothing == (2, "millstream: no such record: millstream dlq list shows which there are\n")


def test_the_record_that_is_shown_is_one_that_waits(tmp_path, capsys):
    """What was replayed before is shown only where nothing else is left."""
    lines = [f'{{"line": {number}, "byte_offset": 0, "reason": "no", "raw": ""}}\n'.encode() for number in (1, 2)]
    (tmp_path / "poison.ndjson").write_bytes(b"".join(lines))
    notes = tmp_path / "poison.ndjson.replayed"
    shown = []
    for place, line in ((0, lines[0]), (len(lines[0]), lines[1])):
        add_notes(notes, {place: hash_of(line)})
        assert run_main("dlq", "show", "--file", "poison.ndjson", folder=tmp_path) == 0
        shown.append(capsys.readouterr().out.splitlines()[1:3])

    assert shown == [
        ["came from  line 2 (byte 0) of its input", "replayed   no"],
        ["came from  line 1 (byte 0) of its input", "replayed   yes"],
    ]
