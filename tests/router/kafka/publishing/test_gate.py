"""Who may send, and for how long anybody waits: the lifecycle of a publisher without a client."""

import threading
from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError

from millstream.router import Message, MillstreamError, StateError
from millstream.router.kafka import Confirmation
from millstream.router.kafka.publishing.gate import Gate, NotSent, Patience


def call() -> Confirmation:
    """Return a call with one message."""
    return Confirmation("events", [Message(b"")])


def test_closed_gate_lets_nobody_in() -> None:
    """Who is in already keeps its time: the first close decides."""
    gate = Gate()
    first = gate.close(30.0)
    second = gate.close(60.0)

    with pytest.raises(StateError, match="closed"):
        gate.enter(call())
    assert first == second == gate.closes_at


def test_gate_is_done_when_it_closes_and_nobody_waits() -> None:
    """An open one is never done, and a closed one not before the last call has left."""
    gate, waiting = Gate(), call()
    told = [gate.is_done]
    gate.enter(waiting)
    gate.close(30.0)
    told.append(gate.is_done)
    gate.leave(waiting)
    told.append(gate.is_done)

    assert told == [False, False, True]


def test_stop_ends_every_call_and_refuses_the_next() -> None:
    """Each is told the reason in an error of its own: one for all would gather their frames."""
    gate, waiting, end = Gate(), call(), MillstreamError("out of order")
    gate.enter(waiting)
    gate.stop(end)

    with pytest.raises(MillstreamError, match="out of order") as caught:
        gate.enter(call())
    assert caught.value is not end
    assert str(waiting.error) == "out of order"


def test_room_is_not_waited_for_where_there_may_be_some() -> None:
    """Something was taken in since the buffer was found full."""
    gate = Gate()
    polls = gate.polls
    gate.take_poll(is_moving=False)
    gate.wait_for_room(polls, Patience(), 0.0)

    assert gate.polls == polls + 1


def test_poll_wakes_who_waits_for_room() -> None:
    """As soon as it has taken in anything."""
    gate = Gate()
    waiting = threading.Thread(target=gate.wait_for_room, args=(gate.polls, Patience(), 60.0))
    waiting.start()
    gate.take_poll(is_moving=True)
    waiting.join(20.0)

    assert not waiting.is_alive()


def test_patience_ends_when_nothing_is_confirmed() -> None:
    """The reason names the time, and the code says what was full."""
    with pytest.raises(NotSent, match="nothing confirmed for 0 s") as caught:
        Gate().wait_for_room(0, Patience(), 0.0)

    assert caught.value.code == KafkaError._QUEUE_FULL


@pytest.mark.parametrize("ending", [lambda gate: gate.close(30.0), lambda gate: gate.stop(MillstreamError("over"))])
def test_nobody_waits_for_room_at_an_end(ending: Callable[[Gate], object]) -> None:
    """Neither in a publisher that closes nor in one that has ended."""
    gate = Gate()
    ending(gate)
    with pytest.raises(NotSent, match="closed while the buffer was full") as caught:
        gate.wait_for_room(0, Patience(), 60.0)

    assert caught.value.code == KafkaError._PURGE_QUEUE
