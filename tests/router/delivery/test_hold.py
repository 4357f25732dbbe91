"""The hold: who may take it, what it promises, what its receipt is."""

import pytest

from millstream.router import Assignment, Cancelled, Message, StateError
from tests.router.delivery.model.stand_ins import StepSink, handle, routed, start_chain

A, B = "a", "b"

FIRST_OR_FURTHER = pytest.mark.parametrize(
    "before", [lambda m: None, lambda m: m.delivery.hold("first")], ids=["first hold", "further hold"]
)


def test_hold_is_idempotent_per_owner_and_part():
    """A retry that holds again gets an equal hold and, from `delivery.hold`, the word that it is not new."""
    message = Message(b"")

    assert message.hold(A) == message.hold(A)
    assert [
        message.delivery.hold(A),
        message.delivery.hold(A, 1),
        message.delivery.hold(A, 1),
        message.delivery.hold(B),
        message.delivery.hold(B),
    ] == [
        False,
        True,
        False,
        True,
        False,
    ]


@FIRST_OR_FURTHER
def test_hold_taken_again_after_its_release_stays_released(before):
    """The batcher has stored the row: a retry of the handler must not add a second one."""
    message = Message(b"")
    before(message)
    message.hold(A).release()

    is_new = message.delivery.hold(A)
    message.delivery.release("first")
    handle(message)

    assert (is_new, message.is_settled) == (False, True)


def test_redelivery_keeps_the_holds():
    """After a nack it is the same delivery: the batcher adds no second row, and the hold still keeps the commit back."""
    message = Message(b"")
    message.delivery.hold(A)
    message.nack()
    message.delivery.restart()

    is_new = message.delivery.hold(A)
    handle(message)

    assert (is_new, message.is_settled) == (False, False)


def test_owners_are_told_apart_by_identity():
    """Two batchers that happen to be equal are still two."""
    first, second = [], []
    message = Message(b"")

    assert message.delivery.hold(first)
    assert message.delivery.hold(second)
    handle(message)
    message.delivery.release(first)
    assert not message.is_settled


def test_hold_of_nobody_is_refused():
    """`None` marks a message without a hold; taken for an owner, the next hold would overwrite it."""
    with pytest.raises(StateError, match="owner"):
        Message(b"").hold(None)


def test_hold_on_a_copy_is_one_on_its_message():
    """Whoever finishes with it finishes with what was delivered."""
    message = Message(b"", assignment=routed())
    start_chain(message)
    held = message.copy().hold(A)

    assert held.message is message
    assert held == message.hold(A)


def test_hold_after_the_chain_has_returned_is_refused():
    """The message may be committed already: it is a bug of the caller."""
    message = Message(b"")
    handle(message)

    with pytest.raises(StateError, match="after the chain has returned"):
        message.hold(A)
    with pytest.raises(StateError, match="after the chain has returned"):
        message.copy().delivery.hold(A)


def test_hold_on_a_closed_assignment_is_cancelled():
    """Whoever has the partition now handles the message."""
    message = Message(b"", assignment=routed())
    start_chain(message)
    message.assignment.close()

    with pytest.raises(Cancelled):
        message.hold(A)


def test_hold_on_a_closing_assignment_is_allowed():
    """A chain that runs when the revoke begins may finish."""
    message = Message(b"", assignment=routed())
    start_chain(message)
    message.assignment.is_closing = True

    assert message.delivery.hold(A)


@FIRST_OR_FURTHER
def test_fail_after_a_release_changes_nothing(before):
    """The first word on a hold counts: the row is in the store."""
    sink = StepSink()
    message = Message(b"", assignment=routed(sink))
    before(message)
    hold = message.hold(A)
    handle(message)
    message.delivery.release("first")

    hold.release()
    hold.fail(ValueError("late"))

    assert (sink.told, message.failures, message.is_settled) == (0, [], True)


@FIRST_OR_FURTHER
def test_release_after_a_fail_changes_nothing(before):
    """The first word on a hold counts: the message is the sink's."""
    sink = StepSink()
    message = Message(b"", assignment=routed(sink))
    before(message)
    hold = message.hold(A)
    handle(message)
    message.delivery.release("first")

    hold.fail(ValueError("first"))
    hold.release()
    hold.fail(ValueError("second"))

    assert (sink.told, len(message.failures), message.is_settled) == (1, 1, False)


def test_words_of_who_holds_nothing_change_nothing():
    """Neither a stranger's release nor its fail touches the hold of another, or of another part."""
    sink = StepSink()
    message = Message(b"", assignment=routed(sink))
    message.delivery.hold(A)
    message.delivery.hold(A, 1)
    handle(message)

    for owner, part in [(B, 0), (A, 2)]:
        message.delivery.release(owner, part)
        message.fail(ValueError(), owner, part)

    assert (sink.told, message.failures, message.is_held) == (0, [], True)


def test_release_through_the_receipt_wakes_the_subscription():
    """A revoke that waits for the hold goes on at once, not at its next look."""
    wakes = []
    message = Message(b"", assignment=Assignment("t", 0, wake=lambda: wakes.append(1)))
    start_chain(message)

    message.hold(A).release()

    assert wakes == [1]


def test_hold_is_void_once_its_assignment_has_closed():
    """The owner drops what it has not sent; a closing assignment still counts."""
    message = Message(b"", assignment=routed())
    hold = message.hold(A)
    message.assignment.is_closing = True
    while_closing = hold.is_void

    message.assignment.close()

    assert (while_closing, hold.is_void) == (False, True)


def test_hold_is_void_once_the_sink_has_the_message():
    """Other holds of a poisoned message need not be finished; a failed hold alone does not void the others."""
    sink = StepSink()
    message = Message(b"", assignment=routed(sink))
    failed, other = message.hold(A), message.hold(B)
    failed.fail(ValueError())
    waiting = other.is_void
    other.release()

    sink.write()

    assert (waiting, other.is_void) == (False, True)


def test_fail_on_a_closed_assignment_tells_nobody():
    """The partition is somebody else's: no poison record, and no halt."""
    sink = StepSink()
    message = Message(b"", assignment=routed(sink))
    hold = message.hold(A)
    message.assignment.close()

    hold.fail(ValueError())

    assert (sink.told, message.failures) == (0, [])


def test_receipts_of_one_hold_are_equal_and_hash_alike():
    """State lies in the message, so receipts are interchangeable."""
    message, other = Message(b""), Message(b"")
    hold = message.hold(A)

    assert {hold, message.hold(A)} == {hold}
    assert hold != message.hold(B)
    assert hold != message.hold(A, 1)
    assert hold != other.hold(A)
    assert hold != A


def test_repr_of_a_hold_names_owner_type_and_message_only():
    """Neither the payload nor the owner's own repr, which may be long, goes into a log."""
    hold = Message(b"secret", uuid="u").hold("secret owner", 3)

    assert repr(hold) == "<Hold of str on <Message u, 6 bytes>, part 3>"
