"""The delivery contract's first three invariants, as plain tests of the offset book and the hold."""

import itertools

from millstream.router import OffsetBook
from tests.router.delivery.model.stand_ins import StepSink, delivered, handle, return_chain, routed, start_chain


def first_unsettled(messages):
    """Return the lowest offset that is not settled, or the one after the newest."""
    return min((message.offset for message in messages if not message.is_settled), default=messages[-1].offset + 1)


def test_never_ahead():
    """In every order of settling, the commit is at most the first offset that is not settled, and at least nearly that."""
    for order in itertools.permutations(range(5)):
        book = OffsetBook(routed(StepSink()))
        messages = delivered(book.assignment, [3, 4, 6, 10, 11])
        book.extend(messages)
        for message in messages:
            message.delivery.hold("batcher")
            handle(message)

        for place in order:
            messages[place].delivery.release("batcher")
            book.advance()

            settled = list(itertools.takewhile(lambda message: message.is_settled, messages))
            assert book.next_offset == (settled[-1].offset + 1 if settled else None)
            assert (book.next_offset or 0) <= first_unsettled(messages)
        assert (book.next_offset, book.pending) == (12, 0)


def test_never_ahead_of_what_is_acked_early_held_failed_or_nacked():
    """Whatever keeps a message back keeps the commit back, until exactly that is over."""
    sink = StepSink()
    assignment = routed(sink)

    def running(message):
        start_chain(message)
        message.ack()
        return lambda: return_chain(message)

    def held(message):
        hold = message.hold("a")
        handle(message)
        return hold.release

    def failed(message):
        hold = message.hold("a")
        handle(message)
        hold.fail(ValueError())
        return sink.write

    def nacked(message):
        message.nack()
        return lambda: (message.delivery.restart(), handle(message))

    for keep_back in (running, held, failed, nacked):
        book = OffsetBook(assignment)
        first, second = delivered(assignment, [0, 1])
        book.extend([first, second])
        let_go = keep_back(first)
        handle(second)
        book.advance()
        kept_at = book.next_offset
        let_go()
        book.advance()

        assert (kept_at, book.next_offset) == (None, 2), keep_back.__name__


def test_settled_once():
    """Every message leaves its book exactly once and ends in exactly one way, whatever is said to it afterwards."""
    sink = StepSink()
    book = OffsetBook(routed(sink))
    handled, stored, poisoned, failed = messages = delivered(book.assignment, range(4))
    book.extend(messages)
    holds = [message.hold("batcher") for message in (stored, poisoned, failed)]
    handle(handled, stored, failed)
    start_chain(poisoned)
    sink.take(poisoned, ValueError("by the chain"))
    return_chain(poisoned)
    holds[0].release()
    holds[2].fail(ValueError("by its owner"))
    sink.write()
    first = (book.advance(), book.settled, [message for message, _ in sink.records])

    for hold in holds:
        hold.fail(ValueError("late"))
        hold.release()
    for message in messages:
        message.ack()
        message.nack()
        if message.failures:
            sink.take_failed(message)
    sink.write()

    assert first == (4, 4, [poisoned, failed])
    assert (book.advance(), book.settled, book.next_offset, len(sink.records)) == (0, 4, 4, 2)


def test_own_epoch_only():
    """A settlement that comes after the partition was revoked never commits; the next stay has a fresh book."""
    sink = StepSink()
    old, new = routed(sink, epoch=1), routed(sink, epoch=2)
    book, fresh = OffsetBook(old), OffsetBook(new)
    handled, stored, failed = delivered(old, [5, 6, 7])
    book.extend([handled, stored, failed])
    holds = [stored.hold("a"), failed.hold("a")]
    handle(handled, stored, failed)
    book.advance()
    at_revoke = book.next_offset

    old.close()
    holds[0].release()
    holds[1].fail(ValueError())
    sink.write()

    assert (book.advance(), book.next_offset, book.settled) == (0, at_revoke, 1)
    assert at_revoke == 6
    again = delivered(new, [6, 7])
    assert fresh.extend(again)
    assert [message.delivery.hold("a") for message in again] == [True, True]
    assert (fresh.advance(), fresh.next_offset, sink.records) == (0, None, [])
