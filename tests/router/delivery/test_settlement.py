"""When a message is settled: the rules of the delivery contract."""

import pytest

from millstream.router import Message
from tests.router.delivery.model.stand_ins import StepSink, handle, return_chain, routed, start_chain

A, B = "a", "b"


def test_message_is_settled_when_its_chain_has_returned():
    """Nothing held, nothing failed: returning is the last word."""
    message = Message(b"")
    before = message.is_settled

    handle(message)

    assert (before, message.is_settled) == (False, True)


def test_running_chain_holds_the_message_although_it_is_acked():
    """An early ack must not make it committable: the chain may still fail."""
    message = Message(b"")
    start_chain(message)

    message.ack()

    assert not message.is_settled
    return_chain(message)
    assert message.is_settled


def test_message_without_a_router_is_settled_by_its_ack():
    """Who reads a subscription by hand says when a message is done."""
    message = Message(b"")

    message.ack()

    assert message.is_settled


def test_nacked_message_is_not_settled():
    """It comes again."""
    message = Message(b"")

    message.nack()

    assert not message.is_settled


@pytest.mark.parametrize("holds", [[(A, 0)], [(A, 0), (A, 1)], [(A, 0), (B, 0)], [(A, 0), (B, 0), (B, 7), (A, 1)]])
@pytest.mark.parametrize("order", [1, -1], ids=["in order", "in reverse"])
def test_message_is_settled_when_the_last_hold_is_released(holds, order):
    """Every owner and every part counts, in whatever order they finish."""
    message = Message(b"")
    for owner, part in holds:
        message.delivery.hold(owner, part)
    handle(message)

    seen = []
    for owner, part in holds[::order]:
        seen.append(message.is_settled)
        message.delivery.release(owner, part)

    assert seen == [False] * len(holds)
    assert (message.is_settled, message.is_held) == (True, False)


def test_hold_released_while_the_chain_runs_settles_nothing():
    """A flush may be faster than the handler."""
    message = Message(b"")
    start_chain(message)
    message.hold(A).release()

    message.ack()

    assert not message.is_settled


def test_failed_message_is_settled_by_the_confirmation_of_the_sink():
    """Failing a hold is no last word: the record must be safe first."""
    sink = StepSink()
    message = Message(b"", assignment=routed(sink))
    hold = message.hold(A)
    handle(message)

    hold.fail(ValueError("bad"))

    assert (message.is_settled, message.is_held) == (False, False)
    sink.write()
    assert message.is_settled


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_worst_outcome_wins_among_several_holds(failing):
    """One failure among three sends the message to the sink, once the last hold is in, whichever owner failed."""
    sink = StepSink()
    message = Message(b"", assignment=routed(sink))
    holds = [message.hold(A), message.hold(B), message.hold(A, 1)]
    handle(message)

    error = ValueError("bad")
    holds[failing].fail(error)
    sink.write()
    early = list(sink.records)
    for hold in holds:
        hold.release()
    settled_by_holds = message.is_settled
    sink.write()

    assert (early, settled_by_holds, message.is_settled) == ([], False, True)
    assert sink.records == [(message, error)]


def test_several_failures_make_one_record_with_the_first_error():
    """The sink is told once and writes once, however many owners failed."""
    sink = StepSink()
    message = Message(b"", assignment=routed(sink))
    holds = [message.hold(A), message.hold(B), message.hold(B, 1)]
    handle(message)

    errors = [ValueError(str(number)) for number in range(3)]
    for hold, error in zip(holds, errors, strict=True):
        hold.fail(error)
    sink.write()

    assert [failure.error for failure in message.failures] == errors
    assert [(failure.owner, failure.part) for failure in message.failures] == [(A, 0), (B, 0), (B, 1)]
    assert (sink.told, sink.records) == (1, [(message, errors[0])])


def test_chain_that_poisons_need_not_wait_for_holds():
    """What the chain gave to the sink is void for every owner, and settled by the record alone."""
    sink = StepSink()
    message = Message(b"", assignment=routed(sink))
    start_chain(message)
    hold = message.hold(A)

    sink.take(message, ValueError("bad"))
    return_chain(message)
    before = message.is_settled
    sink.write()

    assert (hold.is_void, before, message.is_settled) == (True, False, True)


def test_late_words_of_owners_change_nothing_after_the_chain_has_poisoned():
    """An owner that had not noticed adds neither a failure nor a record."""
    sink = StepSink()
    message = Message(b"", assignment=routed(sink))
    start_chain(message)
    holds = [message.hold(A), message.hold(B)]
    first = ValueError("first")
    sink.take(message, first)
    return_chain(message)

    holds[0].fail(ValueError("late"))
    holds[1].release()
    sink.write()

    assert (sink.told, sink.records, message.is_settled) == (0, [(message, first)], True)
