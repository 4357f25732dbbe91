"""Messages are invisible to the garbage collector, so a settled one must be freed by reference counts alone."""

import gc
import weakref

import pytest

from millstream.router import Message, OffsetBook
from tests.router.delivery.model.stand_ins import StepSink, handle, return_chain, routed, start_chain


class Sentinel:
    """Something that only the message refers to, and that can be watched."""


@pytest.fixture(autouse=True)
def _no_collector():
    """Switch the garbage collector off: what is freed is freed by its reference count."""
    gc.disable()
    yield
    gc.enable()


def watched(book, offset=0):
    """Return a message in *book* and a reference that dies with it."""
    sentinel = Sentinel()
    message = Message(b"x", offset=offset, assignment=book.assignment)
    message.delivery.hold(sentinel)
    book.append(message)
    return message, weakref.ref(sentinel)


def test_settled_message_is_freed_when_it_leaves_the_book():
    """The plain way: held, handled, released."""
    book = OffsetBook(routed())
    message, freed = watched(book)
    handle(message)
    message.delivery.release(freed())

    assert book.advance() == 1
    assert freed() is not None
    del message
    assert freed() is None


def test_message_with_context_copy_and_receipt_is_freed():
    """Neither the context nor a copy nor a receipt ties the message to itself."""
    book = OffsetBook(routed())
    message, freed = watched(book)
    message.context.values["attempts"] = 2
    copy, receipt = message.copy(), message.hold(freed())
    handle(message)
    receipt.release()
    book.advance()

    del message, copy, receipt

    assert freed() is None


def test_message_of_several_holds_is_freed():
    """The uncommon part of its settlement goes with it."""
    book = OffsetBook(routed())
    message, freed = watched(book)
    message.delivery.hold("a")
    message.delivery.hold("a", 1)
    handle(message)
    for owner, part in [("a", 0), ("a", 1), (freed(), 0)]:
        message.delivery.release(owner, part)
    book.advance()

    del message, owner

    assert freed() is None


def test_message_redelivered_after_a_nack_is_freed():
    """Starting over leaves nothing behind."""
    book = OffsetBook(routed())
    message, freed = watched(book)
    start_chain(message)
    message.nack()
    message.delivery.restart()
    return_chain(message)
    message.delivery.release(freed())
    book.advance()

    del message

    assert freed() is None


def test_message_that_was_never_settled_is_freed_with_its_book():
    """A lost partition leaves nothing behind."""
    book = OffsetBook(routed(StepSink()))
    message, freed = watched(book)
    handle(message)
    book.assignment.close()

    del message, book

    assert freed() is None
