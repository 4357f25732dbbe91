"""Poisoned messages in a file."""

import base64
import json
import os
import resource
import stat
import threading

import pytest

from millstream.router import Message, PoisonFile


@pytest.fixture
def path(tmp_path):
    """Where the records go."""
    return tmp_path / "poison.ndjson"


def records(path):
    """Return the records in the file, one a line."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def mode_of(path):
    """Return the permission bits of the file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_record_says_which_message_and_why(path):
    """One line of JSON each, in order, on the disk when `write` returns."""
    sink = PoisonFile(path)

    sink.write(
        [Message(b'{"a": 1}', uuid="u1", metadata={"reason_poisoned": "bad"}), Message(b"two\nlines", uuid="u2")]
    )

    assert records(path) == [
        {"uuid": "u1", "metadata": {"reason_poisoned": "bad"}, "payload": '{"a": 1}'},
        {"uuid": "u2", "metadata": {}, "payload": "two\nlines"},
    ]
    sink.close()


def test_payload_that_is_not_text_is_base64(path):
    """Nothing of it is lost, and the file stays UTF-8."""
    sink = PoisonFile(path)

    sink.write([Message(b"\xff\x00x")])
    sink.close()

    (record,) = records(path)
    assert "payload" not in record
    assert base64.b64decode(record["payload_base64"]) == b"\xff\x00x"


def test_file_is_made_at_the_first_record(path):
    """A clean run leaves no file."""
    sink = PoisonFile(path)
    before = (path.exists(), sink.is_used)
    sink.close()
    closed = path.exists()

    used = PoisonFile(path)
    used.write([Message(b"")])
    used.close()

    assert (before, closed, path.exists(), used.is_used) == ((False, False), False, True, True)


def test_file_is_readable_by_its_owner_only(path):
    """Payloads may be confidential, whatever the umask allows and however open an older file was."""
    umask = os.umask(0)
    try:
        fresh = PoisonFile(path)
        fresh.write([Message(b"")])
        fresh.close()
        fresh_mode = mode_of(path)
        path.chmod(0o666)
        again = PoisonFile(path)
        again.write([Message(b"")])
        again.close()
    finally:
        os.umask(umask)

    assert (fresh_mode, mode_of(path)) == (0o600, 0o600)


def test_records_are_appended_to_an_older_file(path):
    """A restart adds to what was poisoned before."""
    for payload in (b"1", b"2"):
        sink = PoisonFile(path)
        sink.write([Message(payload)])
        sink.write([Message(payload + payload)])
        sink.close()

    assert [record["payload"] for record in records(path)] == ["1", "11", "2", "22"]


def test_replace_starts_anew_at_the_first_record_only(path):
    """An older file is replaced once, and not before there is something to write."""
    path.write_text("old\n")
    sink = PoisonFile(path, replace=True)
    untouched = path.read_text()
    sink.write([Message(b"1")])
    sink.write([Message(b"2")])
    sink.close()

    assert untouched == "old\n"
    assert [record["payload"] for record in records(path)] == ["1", "2"]


def test_record_may_be_of_a_users_own_making(path):
    """`millstream ingest` writes line numbers this way."""
    sink = PoisonFile(path, record=lambda message: {"line": 7, "size": len(message.payload)})

    sink.write([Message(b"abc")])
    sink.close()

    assert records(path) == [{"line": 7, "size": 3}]


def test_record_that_does_not_fit_leaves_no_half_line(path):
    """The write raises, so that the sink tries again; the file ends with the last whole record, and grows when there is room."""
    sink = PoisonFile(path)
    sink.write([Message(b"first")])
    size = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            sink.write([Message(b"second", uuid="x" * 100)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert path.stat().st_size == size
    sink.write([Message(b"second")])
    sink.close()
    assert [record["payload"] for record in records(path)] == ["first", "second"]


def test_folder_that_is_not_there_is_an_error(tmp_path):
    """The sink retries with the intake stopped; nothing counts as written."""
    sink = PoisonFile(tmp_path / "missing" / "poison.ndjson")

    with pytest.raises(FileNotFoundError):
        sink.write([Message(b"")])

    assert not sink.is_used


def test_records_can_go_to_a_pipe(path):
    """Or any file that is no regular one: it can be neither truncated nor synced."""
    os.mkfifo(path, 0o600)
    read = []
    thread = threading.Thread(target=lambda: read.append(path.read_bytes()))
    thread.start()
    sink = PoisonFile(path)

    sink.write([Message(b"x" * 200_000)])
    sink.close()
    thread.join(10.0)

    assert json.loads(read[0])["payload"] == "x" * 200_000


def test_close_may_be_called_twice(path):
    """As every close."""
    sink = PoisonFile(path)
    sink.write([Message(b"")])

    sink.close()
    sink.close()

    assert len(records(path)) == 1


def test_repr_names_the_file(path):
    """For the log line when it cannot be written."""
    assert repr(PoisonFile(path)) == f"PoisonFile({str(path)!r})"
