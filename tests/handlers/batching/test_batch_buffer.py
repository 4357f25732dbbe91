"""When the open batch is due, and what is then in the batch."""

import pytest

from millstream.handlers.batching import BatchConfig, Trigger
from millstream.handlers.batching.buffer import BatchBuffer
from tests.handlers.batching.batching_aids import batch_message


def filled(config, *payloads, now=0.0):
    """Return a buffer with a row for each payload."""
    buffer = BatchBuffer(config)
    for payload in payloads:
        buffer.add(batch_message(payload), len(payload))
        buffer.start_age(now)
    return buffer


def test_nothing_is_due_in_an_empty_buffer():
    """An empty buffer never asks for a flush, not even when one is requested."""
    buffer = BatchBuffer(BatchConfig())
    buffer.request(Trigger.REVOKE)

    assert buffer.due(1e9) is None


@pytest.mark.parametrize(
    ("config", "payloads", "now", "trigger"),
    [
        pytest.param({"batch_size": 3}, [b"x"] * 2, 0.0, None, id="two of three"),
        pytest.param({"batch_size": 3}, [b"x"] * 3, 0.0, Trigger.SIZE, id="three of three"),
        pytest.param({"max_batch_bytes": 10}, [b"12345"] * 2, 0.0, Trigger.BYTES, id="as many bytes as may be"),
        pytest.param({"flush_interval": 5.0}, [b"x"], 4.999, None, id="just before the interval"),
        pytest.param({"flush_interval": 5.0}, [b"x"], 5.0, Trigger.AGE, id="at the interval"),
    ],
)
def test_a_flush_is_due_by_size_bytes_or_age(config, payloads, now, trigger):
    """The first trigger that is reached asks for the flush."""
    assert filled(BatchConfig(**config), *payloads).due(now) is trigger


def test_age_counts_from_the_oldest_row():
    """A later row does not put the flush off."""
    buffer = filled(BatchConfig(flush_interval=5.0), b"x", now=1.0)
    buffer.add(batch_message(b"y"), 1)
    buffer.start_age(4.0)

    assert buffer.deadline == 6.0


def test_age_starts_anew_after_a_flush():
    """The first row after a flush sets the time of the next one."""
    buffer = filled(BatchConfig(flush_interval=5.0), b"x", now=1.0)
    buffer.pop_batch(Trigger.AGE)
    buffer.add(batch_message(b"y"), 1)
    buffer.start_age(4.0)

    assert buffer.deadline == 9.0


@pytest.mark.parametrize(
    ("config", "payloads", "wakes"),
    [
        pytest.param({"batch_size": 3}, [b"x"] * 4, [True, False, True, False], id="first and full"),
        pytest.param({"batch_size": 2, "max_batch_size": 4}, [b"x"] * 5, [True, True, False, True, False], id="whole"),
        pytest.param({"max_batch_bytes": 4}, [b"xx"] * 3, [True, True, False], id="bytes reached once"),
        pytest.param({"max_pending_bytes": 4}, [b"xx"] * 3, [True, True, True], id="no room left"),
    ],
)
def test_adding_reports_only_what_changes_something(config, payloads, wakes):
    """Whoever waits is woken for the first row, a full batch and a reached bound, not for every row."""
    buffer = BatchBuffer(BatchConfig(**config))

    assert [buffer.add(batch_message(payload), len(payload)) for payload in payloads] == wakes


def test_a_batch_holds_all_rows_in_order_up_to_the_limit():
    """Rows beyond `max_batch_size` stay for the next batch."""
    buffer = filled(BatchConfig(batch_size=2, max_batch_size=3), b"a", b"b", b"c", b"d")
    first, second = buffer.pop_batch(Trigger.SIZE), buffer.pop_batch(Trigger.SIZE)

    assert [each.message.payload for each in first] == [b"a", b"b", b"c"]
    assert [each.message.payload for each in second] == [b"d"]
    assert buffer.is_empty


def test_a_batch_holds_at_most_its_bytes_but_always_a_row():
    """Bytes cut a batch, and a single row larger than the limit goes alone."""
    buffer = filled(BatchConfig(max_batch_bytes=4), b"aaa", b"bbbbbbbb", b"c")

    assert [len(buffer.pop_batch(Trigger.BYTES)) for _ in range(3)] == [1, 1, 1]


def test_room_comes_back_only_when_a_batch_is_done():
    """The bytes of a closed batch count against the bound until it is stored."""
    buffer = filled(BatchConfig(max_pending_bytes=4), b"xxxx")
    batch = buffer.pop_batch(Trigger.BOUND)
    was_full = not buffer.find_room()
    buffer.done(batch)

    assert was_full
    assert buffer.find_room()


def test_void_rows_are_discarded_with_their_bytes():
    """Rows of a closed assignment leave the buffer, and their room comes back."""
    buffer = filled(BatchConfig(max_pending_bytes=4), b"xx")
    gone = batch_message(b"yy")
    gone.message.delivery.hold(buffer)
    buffer.add(gone, 2)
    gone.message.delivery.poison(ValueError("bad"))
    buffer.discard_void()

    assert len(buffer) == 1
    assert buffer.find_room()


def test_every_batch_has_a_token_of_its_own():
    """Tokens are drawn, never derived: equal rows flushed twice get two tokens."""
    rows = [batch_message(b"same")]
    tokens = set()
    for _ in range(100):
        buffer = BatchBuffer(BatchConfig())
        buffer.add(rows[0], 4)
        tokens.add(buffer.pop_batch(Trigger.SIZE).token)

    assert len(tokens) == 100
