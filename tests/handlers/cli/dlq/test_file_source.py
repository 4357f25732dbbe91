"""Poison records in files, and the notes beside them."""

import json

import pytest

from millstream.handlers.cli.dlq.file_notes import add_notes, hash_of, read_notes
from millstream.handlers.cli.dlq.file_records import parse_record
from millstream.handlers.cli.dlq.file_source import FileOutbox, FileSource
from millstream.router import ConfigurationError, Message, PoisonFile
from millstream.router.kafka.publishing.transactions import Fenced, Refused
from tests.handlers.cli.dlq.poison_aids import poisoned
from tests.handlers.events.event_payloads import make_payload


class Sender:
    """Takes what it is sent, unless it *refuses* it."""

    def __init__(self):
        self.sent = []
        self.refuses = False

    def open(self):
        """Nothing to do."""

    def send(self, messages, topic, commits):
        """Take it."""
        if self.refuses:
            raise Refused("too large")
        self.sent += [message.uuid for _, message in messages]


def write(path, *messages):
    """Write what a lane would."""
    file = PoisonFile(path)
    file.write(messages)
    file.close()


def records_of(path):
    """Return the records of *path*, as a replay finds them."""
    source = FileSource(path, None, "group")
    source.look()
    return [record for records in source.read(lambda: False) for record in records]


def test_a_message_is_read_as_it_was_written(tmp_path):
    """Payload and key, text or not, uuid and metadata."""
    messages = [
        Message(b"text", uuid="1", metadata={"a": "b"}, key=b"k"),
        Message(b"\xff", uuid="2", key=b"\xfe"),
        Message(b"", uuid="3"),
    ]
    write(tmp_path / "poison.ndjson", *messages)
    read = [record.message for record in records_of(tmp_path / "poison.ndjson")]

    assert read == messages
    assert [message.key for message in read] == [b"k", b"\xfe", None]


def test_a_line_of_ingest_is_what_publish_would_send():
    """Keyed where it is an event by now; else as it is. It knows where it stood, and no topic."""
    event = make_payload(id="e-1")
    good = {"line": 2, "byte_offset": 177, "reason": "no zone", "raw": event.decode()}
    bad = {"line": 3, "byte_offset": 300, "reason": "malformed", "raw_base64": "/w=="}
    (first, place), (second, _) = (parse_record(json.dumps(each).encode()) for each in (good, bad))

    assert (first.payload, first.uuid, first.metadata["reason_poisoned"]) == (event, "e-1", "no zone")
    assert first.key is not None
    assert place == "line 2 (byte 177) of its input"
    assert (second.payload, second.key) == (b"\xff", None)


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b"[]",
        b'{"id":"e-1"}',
        b'{"uuid":"1","metadata":{"a":1},"payload":""}',
        b'{"line":1,"reason":"x"}',
        b'{"uuid":"1","metadata":{},"payload_base64":"#"}',
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path, line):
    """A file of events, or a damaged one, is nothing to send anywhere."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\n" + line + b"\n")
    with pytest.raises(ConfigurationError, match=r"events\.ndjson, line 2 is no poison record: "):
        records_of(path)


def test_a_line_that_is_being_written_is_left_out(tmp_path):
    """It comes with the next replay."""
    path = tmp_path / "poison.ndjson"
    write(path, Message(b"1", uuid="1"))
    with path.open("ab") as file:
        file.write(b'{"uuid":"2","meta')

    assert [record.message.uuid for record in records_of(path)] == ["1"]


def test_what_was_sent_is_noted_beside_the_file(tmp_path):
    """A record that is written later at its end is a new one, and so is one in a file that was written anew."""
    path = tmp_path / "poison.ndjson"
    write(path, poisoned("1", "events"), poisoned("2", "events"))
    send(path, Sender(), records_of(path)[:1])
    write(path, poisoned("3", "events"))
    after = [record.is_replayed for record in records_of(path)]
    path.unlink()
    write(path, poisoned("4", "events"), poisoned("5", "events"))

    assert after == [True, False, False]
    assert [record.is_replayed for record in records_of(path)] == [False, False]


def send(path, sender, records):
    """Send *records* back from *path*."""
    notes = path.with_name(f"{path.name}.replayed")
    outbox = FileOutbox(path, notes, sender, read_notes(notes))
    outbox.send([(record, ("events", record.message)) for record in records])
    return outbox


def test_a_replay_that_has_sent_in_the_meantime_is_not_sent_over(tmp_path):
    """It is noted in the file."""
    path = tmp_path / "poison.ndjson"
    write(path, poisoned("1", "events"), poisoned("2", "events"))
    records, sender = records_of(path), Sender()
    outbox = send(path, sender, [])
    sender.refuses = True
    with pytest.raises(Refused):
        outbox.send([(records[0], ("events", records[0].message))])
    sender.refuses = False
    send(path, Sender(), records)
    with pytest.raises(Fenced):
        outbox.send([(records[1], ("events", records[1].message))])

    assert sender.sent == []


def test_half_a_note_is_none(tmp_path):
    """As a crash leaves it; what is noted behind it is read."""
    path = tmp_path / "notes"
    add_notes(path, {0: hash_of(b"a")})
    with path.open("ab") as file:
        file.write(b"17 abc")
    add_notes(path, {30: hash_of(b"b")})

    assert read_notes(path) == {0: hash_of(b"a"), 30: hash_of(b"b")}


def test_notes_that_cannot_be_written_say_what_comes_twice(tmp_path):
    """The messages are sent by then."""
    with pytest.raises(ConfigurationError, match="the next replay sends 2 messages again"):
        add_notes(tmp_path, {0: hash_of(b"a"), 1: hash_of(b"b")})


def test_a_file_that_is_not_there_is_named(tmp_path):
    """One line."""
    with pytest.raises(ConfigurationError, match=r"gone\.ndjson: No such file or directory"):
        FileSource(tmp_path / "gone.ndjson", None, "group").look()
