"""Events of a chunk that goes through the chain one by one are decoded together: what becomes of them is the same."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.handlers.batching import BatchConfig, MessageBatcher
from millstream.handlers.events import InvalidEvent, decode_event
from millstream.handlers.events.ahead import DecodeAhead
from millstream.handlers.events.decode_many import decode_events
from millstream.handlers.testing import FakeStore
from millstream.router import Message
from tests.handlers.batching.batching_aids import RecordingProcess, drain
from tests.handlers.events.event_payloads import make_payload
from tests.handlers.events.service_aids import make_service, payloads
from tests.handlers.events.test_decode_fuzz import PAYLOADS, decode_or_refuse, mutated_payloads
from tests.handlers.events.test_lane_runs import lane_of

LIMIT = 4096


class Counting:
    """Decodes one message as a lane does, and counts the calls."""

    def __init__(self):
        self.calls = []

    def __call__(self, message):
        """Decode *message*."""
        self.calls.append(message.payload)
        decode_event(message.payload, max_message_bytes=LIMIT)


def decode(contents):
    """Decode *contents* as a lane does whose events are looked at."""
    return decode_events(contents, max_message_bytes=LIMIT, keeps_events=True)


def ahead_of(contents):
    """Return a handler that has decoded *contents*, what it falls back to, and its batcher with the batches."""
    process = RecordingProcess()
    batcher, one_by_one = MessageBatcher(BatchConfig(batch_size=1000), process), Counting()
    ahead = DecodeAhead(one_by_one, decode, batcher)
    ahead.prepare(contents)
    return ahead, one_by_one, batcher, process


def items(process):
    """Return what was batched."""
    return [each.item for batch in process.batches for each in batch]


@given(st.lists(PAYLOADS | mutated_payloads(), max_size=4))
def test_each_is_what_it_is_by_itself(contents):
    """Expect each event as `decode_event` reads it, and its refusal for what is none."""
    ahead, one_by_one, batcher, process = ahead_of(contents)
    for content in contents:
        expected = decode_or_refuse(content, LIMIT)
        try:
            ahead(Message(content))
        except InvalidEvent:
            assert expected is None
    assert drain(batcher)

    found = [decode_or_refuse(each, LIMIT) for each in contents if each not in one_by_one.calls]
    assert items(process) == found


def test_good_events_are_decoded_once():
    """Expect none of a chunk to be decoded by itself, in whatever order and however often they come."""
    contents = payloads(10)
    ahead, one_by_one, batcher, process = ahead_of(contents)
    for content in [*reversed(contents), contents[0]]:
        ahead(Message(content))
    assert drain(batcher)

    assert one_by_one.calls == []
    assert items(process) == [decode_event(content) for content in [*reversed(contents), contents[0]]]


def test_equal_bytes_that_are_others_are_decoded_by_themselves():
    """Expect only what was there before the chain to count as decoded, not what was put into its place."""
    contents = payloads(3)
    ahead, one_by_one, _, _ = ahead_of(contents)
    other = bytes(bytearray(contents[0]))
    ahead(Message(other))

    assert one_by_one.calls == [other]


def test_what_an_earlier_chunk_has_decoded_is_not_found():
    """Expect each chunk to stand for itself: one with an odd event is decoded one by one."""
    contents = payloads(3)
    ahead, one_by_one, _, _ = ahead_of(contents)
    ahead.prepare([b"odd", contents[1]])
    for content in contents:
        ahead(Message(content))

    assert one_by_one.calls == contents


def test_chunk_that_was_not_decoded_is_not_kept():
    """Expect none of the bytes of large events, of which a chunk is not decoded together, to outlive their messages here."""
    ahead, _, _, _ = ahead_of(payloads(3))
    ahead.prepare([b"x" * LIMIT, b"odd"])

    assert (ahead._known.payloads, ahead._known.events) == ((), {})


def test_threads_know_nothing_of_each_other():
    """Expect a handler of several threads to find on each what that has decoded."""
    contents = payloads(4)
    ahead, one_by_one, batcher, process = ahead_of(contents[:2])

    def other():
        ahead.prepare(contents[2:])
        for content in contents:
            ahead(Message(content))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join(10)
    for content in contents[:2]:
        ahead(Message(content))
    assert drain(batcher)

    assert one_by_one.calls == contents[:2]
    assert len(items(process)) == 4


@pytest.mark.parametrize("options", [{}, {"concurrency": 2}])
def test_lane_stores_what_its_middleware_passes_on(options):
    """Expect the payload that a middleware has put into the place of another, and the reason of one that is none."""
    contents, store = payloads(6), FakeStore()
    service = make_service(store, batch_size=5)
    renamed = make_payload(id="another")

    def rename(next_handler):
        def renaming(message):
            if message.payload == contents[2]:
                message = message.copy()
                message.payload = renamed
            return next_handler(message)

        return renaming

    with lane_of(service, middleware=[rename], **options) as lane:
        lane.deliver(*contents[:4])
        lane.deliver(contents[4], b"odd", contents[5])
        lane.wait_committed(7)

    assert sorted(store.rows()) == sorted([*contents[:2], renamed, *contents[3:]])
    assert set(lane.poisoned) == {b"odd"}
