"""The bounded buffer between the poll thread and the receiver. No broker."""

import threading

import pytest

from millstream.router import Assignment, Message, SubscriptionClosed
from millstream.router.kafka.consuming.delivery_buffer import DeliveryBuffer


def messages(count, assignment=None, payload=b"x"):
    """Return *count* messages."""
    return [Message(payload, uuid=str(number), assignment=assignment) for number in range(count)]


def test_chunks_come_in_order_and_no_larger_than_asked():
    """A chunk that is too large is cut, and its rest comes next."""
    buffer = DeliveryBuffer(10, 1000)
    buffer.put(messages(5))

    assert [[m.uuid for m in buffer.receive(3, 1.0)] for _ in range(2)] == [["0", "1", "2"], ["3", "4"]]


@pytest.mark.parametrize(
    ("count", "payload", "is_full"),
    [
        pytest.param(9, b"x", False, id="below both bounds"),
        pytest.param(10, b"x", True, id="as many messages as may be"),
        pytest.param(2, b"x" * 50, True, id="as many bytes as may be"),
    ],
)
def test_it_is_full_by_messages_or_bytes(count, payload, is_full):
    """Either bound makes it full; nothing that was fetched is refused."""
    buffer = DeliveryBuffer(10, 100)
    buffer.put(messages(count, payload=payload))

    assert buffer.is_full == is_full


def test_room_is_half_of_it():
    """Fetching goes on when half of it is free, so that a pause is worth its price."""
    buffer = DeliveryBuffer(10, 1000)
    buffer.put(messages(10))
    buffer.receive(4, 1.0)
    early = buffer.has_room
    buffer.receive(1, 1.0)

    assert (early, buffer.has_room) == (False, True)


def test_waiting_for_room_ends_when_something_is_received():
    """The poll thread goes on as soon as it may."""
    buffer = DeliveryBuffer(2, 1000)
    buffer.put(messages(2))
    receiving = threading.Thread(target=lambda: buffer.receive(2, 1.0))
    receiving.start()

    assert buffer.wait_for_room(10.0)
    receiving.join(10)


def test_messages_of_gone_partitions_leave_it():
    """A revoke takes what was not received back, with its bytes."""
    gone, kept = Assignment("t", 0), Assignment("t", 1)
    buffer = DeliveryBuffer(4, 1000)
    buffer.put(messages(3, gone) + messages(1, kept))
    buffer.discard([gone])

    assert not buffer.is_full
    assert [m.assignment for m in buffer.receive(10, 1.0)] == [kept]


def test_time_out_gives_nothing():
    """Nothing to receive is an empty chunk, not an error."""
    assert DeliveryBuffer(1, 1).receive(1, 0.0) == []


def test_end_and_error_come_after_what_is_there():
    """What was fetched before the end can still be received."""
    closed, failed = DeliveryBuffer(10, 1000), DeliveryBuffer(10, 1000)
    for buffer in (closed, failed):
        buffer.put(messages(1))
    closed.close()
    failed.fail(ValueError("broken"))

    assert [len(each.receive(5, 1.0)) for each in (closed, failed)] == [1, 1]
    with pytest.raises(SubscriptionClosed):
        closed.receive(5, 1.0)
    with pytest.raises(ValueError, match="broken"):
        failed.receive(5, 1.0)
