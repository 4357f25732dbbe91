"""What gives a run to somebody else returns while that one may have divided it already."""

import threading

import pytest

from millstream.router import MessageRun, OffsetBook, StateError
from tests.router.delivery.model.stand_ins import routed


def run_in(book: OffsetBook, count: int = 4) -> MessageRun:
    """Put a run into *book*, and let a handler begin with it."""
    run = MessageRun([b"payload"] * count, book.assignment, 0, count - 1)
    assert book.append_run(run)
    run.delivery.begin()
    return run


def test_run_that_was_cut_and_divided_before_its_handler_returned_is_finished_in_its_pieces() -> None:
    """Expect every message to be committed once all are released, though each piece was made while the handler ran."""
    book = OffsetBook(routed())
    run, owner = run_in(book), object()
    assert run.hold(owner)
    head, tail = run.cut(1)
    first, *others = tail.divide()
    run.finish()
    head.delivery.release(owner)
    for message in others:
        message.delivery.release(owner)

    assert book.advance() == 1
    first.delivery.release(owner)
    assert (book.advance(), book.next_offset, book.pending) == (3, 4, 0)


def test_pieces_of_a_run_whose_handler_has_not_returned_settle_nothing() -> None:
    """Expect a piece that is released at once to wait for the handler, as a message would."""
    book = OffsetBook(routed())
    run, owner = run_in(book), object()
    assert run.hold(owner)
    for message in run.divide():
        message.delivery.release(owner)

    assert book.advance() == 0
    run.finish()
    assert book.advance() == 4


def test_finishing_and_dividing_at_once_loses_neither() -> None:
    """Expect all to settle in many rounds of a handler that returns while its batcher divides."""
    for _ in range(200):
        book = OffsetBook(routed())
        run, owner, start = run_in(book), object(), threading.Barrier(2)
        assert run.hold(owner)

        def divide(run: MessageRun = run, owner: object = owner, start: threading.Barrier = start) -> None:
            start.wait()
            for message in run.divide():
                message.delivery.release(owner)

        thread = threading.Thread(target=divide)
        thread.start()
        start.wait()
        run.finish()
        thread.join()

        assert book.advance() == 4


def test_run_is_held_by_one_owner() -> None:
    """Expect a second owner to be told what to do instead, and the first to hold it twice without effect."""
    run, owner = run_in(OffsetBook(routed())), object()

    assert run.hold(owner)
    assert not run.hold(owner)
    with pytest.raises(StateError, match="return False from take_run"):
        run.hold(object())
