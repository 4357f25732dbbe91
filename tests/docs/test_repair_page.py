"""What docs/repair.md says beside its commands, which run in `test_console_blocks`: its example, its numbers, its links."""

import importlib.util
import re

import msgspec
import pytest

from millstream.handlers import InvalidEvent, Settings, decode_event
from millstream.handlers.cli.dlq.file_source import ENDING
from millstream.handlers.cli.line_poison import poison_path
from millstream.router import ExitCode, Message
from millstream.router.testing import RecordingHandler
from tests.docs.console import pages
from tests.guards.sources import ROOT

PAGE = pages()["docs/repair.md"]


@pytest.fixture(scope="module")
def example():
    """The program, as `millstream run` imports it."""
    spec = importlib.util.spec_from_file_location("mending", ROOT / "examples" / "ex09_mending.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def refusal(payload):
    """Return why *payload* is no event; `None` where it is one."""
    try:
        decode_event(payload)
    except InvalidEvent as error:
        return str(error)
    return None


def test_the_example_mends_what_the_producer_sends_and_nothing_else(example):
    """Both wrong forms become events, with their time; what is right, or no event at all, passes byte for byte."""
    right = b'{"id": "1", "event_name": "a", "timestamp": "2026-11-23T10:00:00Z", "properties": {"n": 1.10}}'
    wrong = list(example.wrong_events(2))
    handler = RecordingHandler()
    handle = example.mend(handler)
    for payload in (*wrong, right, b"no event", b"[1]"):
        handle(Message(payload))
    mended, passed = handler.payloads[:2], handler.payloads[2:]

    assert [refusal(each) for each in wrong] == ["event_name: missing", "timestamp: expected datetime, got int"]
    assert [refusal(each) for each in mended] == [None, None]
    assert [decode_event(each).timestamp.isoformat() for each in mended] == [
        "2026-11-23T10:00:00+00:00",
        "2026-11-23T10:00:01+00:00",
    ]
    assert passed == [right, b"no event", b"[1]"]


def test_the_example_leaves_the_properties_and_the_message_as_they_came(example):
    """Numbers keep their digits; and a record of what fails after all has the message of the producer."""
    payload = b'{"event": "a", "properties": {"n":1.10, "big":12345678901234567890123}}'
    handler = RecordingHandler()
    message = Message(payload)
    example.mend(handler)(message)

    assert b'{"n":1.10, "big":12345678901234567890123}' in handler.payloads[0]
    assert msgspec.json.decode(handler.payloads[0])["event_name"] == "a"
    assert message.payload == payload


def test_its_numbers_are_those_of_the_code():
    """Of the limit, of the waits, which docs/poison.md sums up, and of the exit codes."""
    poison_page = pages()["docs/poison.md"]

    assert f"halts: {Settings().poison.max_in_a_row} messages in a row" in PAGE
    assert f"exit code {ExitCode.HALTED:d} and" in PAGE
    assert f"ended with exit code {ExitCode.POISONED:d}" in PAGE
    assert "[tried for a while](poison.md#how-often), 7 s or 43 s" in PAGE
    assert "take 42.7 s" in poison_page
    assert "wait 7 s in all" in poison_page


def test_its_files_are_those_of_the_commands():
    """Where refused lines are, and where it is noted what was sent."""
    assert f"`{poison_path('<FILE>')}`" in PAGE
    assert f"`orders.poison.ndjson{ENDING}`" in PAGE


def test_the_words_of_a_storm_are_those_of_the_log():
    """The signs that the first table tells by."""
    sources = [(ROOT / "router" / name).read_text() for name in ("poison/sink_worker.py", "poison/storm.py")]
    signs = re.findall(r'"(first message set aside|halts: \d+ (?:messages in a row cannot be handled))"', PAGE)

    assert len(signs) == 2
    assert [any(sign.split("1000 ")[-1] in text for text in sources) for sign in signs] == [True, True]


@pytest.mark.parametrize("page", ["README.md", "docs/doctor.md", "docs/poison.md", "docs/where-is-my-event.md"])
def test_page_is_linked(page):
    """From where somebody looks for whom something does not work."""
    assert "repair.md)" in pages()[page]
