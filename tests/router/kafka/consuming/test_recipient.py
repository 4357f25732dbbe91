"""A revoke that waits for what is held hears of each release, whenever it comes."""

import threading

import pytest

from millstream.router import Assignment
from millstream.router.clock import MONOTONIC
from millstream.router.delivery.offset_book import OffsetBook
from millstream.router.kafka.consuming import recipient as module
from millstream.router.kafka.consuming.recipient import Recipient
from millstream.router.testing import eventually
from tests.router.delivery.model.stand_ins import delivered
from tests.router.kafka.scripted_consumer import WORKER, handle

LONG_SECONDS = 60.0


@pytest.fixture
def _looks_once(monkeypatch):
    """Only a wake lets it look again."""
    monkeypatch.setattr(module, "LOOK_AGAIN_SECONDS", LONG_SECONDS)


class WatchedBook(OffsetBook):
    """A book that tells of each look, and of the first one calls `while_looking` after it."""

    looks = 0
    while_looking = staticmethod(lambda: None)

    @property
    def may_settle(self):
        """See `OffsetBook`."""
        found = super().may_settle
        self.looks += 1
        if self.looks == 1:
            self.while_looking()
        return found


def held_book(recipient):
    """Return a book with one message that is handled and held, and the hold."""
    book = WatchedBook(Assignment("t", 0, wake=recipient.wake))
    (message,) = delivered(book.assignment, [0])
    book.append(message)
    return book, handle(message, WORKER)


def waiting(recipient, book):
    """Return the thread that waits for *book*, once it does."""
    thread = threading.Thread(
        target=recipient.wait_for, args=([book], MONOTONIC.now() + LONG_SECONDS), name="waiting", daemon=True
    )
    thread.start()
    assert eventually(lambda: book.looks)
    return thread


@pytest.mark.usefixtures("_looks_once")
@pytest.mark.parametrize("release", ["while it waits", "while it looks"])
def test_release_ends_the_wait_at_once(release):
    """Also one that comes between the look and the wait."""
    recipient = Recipient(None)
    book, hold = held_book(recipient)
    if release == "while it looks":
        book.while_looking = hold.release
    thread = waiting(recipient, book)
    if release == "while it waits":
        hold.release()
    thread.join(LONG_SECONDS / 12)
    assert (thread.is_alive(), book.next_offset) == (False, 1)


@pytest.mark.usefixtures("_looks_once")
def test_wake_of_an_earlier_revoke_is_not_kept():
    """What was settled outside a wait is seen by its first look, and ends no later wait before its time."""
    recipient = Recipient(None)
    first, hold = held_book(recipient)
    hold.release()
    recipient.wait_for([first], MONOTONIC.now() + LONG_SECONDS)
    recipient.wake()

    second, hold = held_book(recipient)
    thread = waiting(recipient, second)
    assert (first.next_offset, second.looks, thread.is_alive()) == (1, 1, True)
    hold.release()
    thread.join(LONG_SECONDS / 12)
    assert not thread.is_alive()
