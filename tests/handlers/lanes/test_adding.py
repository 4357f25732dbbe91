"""The lanes of one's own router: their store is closed with it."""

import contextlib
import threading

from millstream.handlers.events import EventConsumptionService, EventRepository
from millstream.handlers.lanes import AddedLanes
from millstream.handlers.testing import FakeStore
from millstream.router import MONOTONIC, InMemoryPubSub, Message, Router
from millstream.router.testing import eventually
from tests.handlers.events.event_payloads import make_payload

TIMEOUT = 10.0


class SlowStore(FakeStore):
    """One whose INSERT lasts until it may end."""

    def __init__(self):
        super().__init__()
        self.may_end = threading.Event()
        self.is_inserting = False

    def insert_lines(self, *arguments, **more):
        """Insert once it may."""
        self.is_inserting = True
        self.may_end.wait()
        super().insert_lines(*arguments, **more)


def added(store, router):
    """Lanes of *router* on *store*, a broker for them, and what is set when the store is closed."""
    service = EventConsumptionService(EventRepository(store))
    broker = InMemoryPubSub()
    service.register_handler(router, broker, poison="drop")
    opened = contextlib.ExitStack()
    closed = threading.Event()
    opened.callback(closed.set)
    lanes = AddedLanes([], service, opened)
    router.add_worker(lanes)
    return lanes, broker, closed


def test_the_store_is_closed_once_everything_is_stored():
    """What the router has in hand at its close is stored before."""
    store, router = FakeStore(), Router()
    lanes, broker, closed = added(store, router)
    router.start()
    broker.publish("events", Message(make_payload()))
    assert eventually(lambda: lanes.service.message_batcher.pending)
    is_open = not closed.is_set()
    router.close()

    assert is_open
    assert closed.is_set()
    assert lanes.service.stats.events == 1


def test_a_store_is_not_closed_under_an_insert():
    """An embedded engine would take the process down."""
    store, router = SlowStore(), Router()
    lanes, broker, closed = added(store, router)
    router.start()
    broker.publish("events", Message(make_payload()))
    assert eventually(lambda: lanes.service.message_batcher.pending)
    lanes.service.message_batcher.seal((), MONOTONIC.now())
    assert eventually(lambda: store.is_inserting)
    in_time = lanes.drain(MONOTONIC.now())
    is_open = not closed.is_set()
    store.may_end.set()
    router.close()

    assert not in_time
    assert is_open
    assert closed.is_set()


def test_a_router_that_does_not_start_closes_the_store():
    """Nobody else would."""
    store, router = FakeStore(), Router()
    _, _, closed = added(store, router)

    def refuse(_router):
        raise ValueError("no")

    router.add_plugin(refuse)
    with contextlib.suppress(ValueError):
        router.run()

    assert closed.is_set()


def test_the_end_of_the_process_waits_until_the_store_is_closed():
    """A drain may be about to close it: the engine takes a while to end, and must not be torn down meanwhile."""
    lanes, _, _ = added(FakeStore(), Router())
    is_closing, may_end, order = threading.Event(), threading.Event(), []

    def close():
        is_closing.set()
        assert may_end.wait(TIMEOUT)
        order.append("closed")

    lanes._opened.callback(close)
    drain = threading.Thread(target=lanes.drain, args=(MONOTONIC.now() + TIMEOUT,))
    drain.start()
    assert is_closing.wait(TIMEOUT)
    end = threading.Thread(target=lambda: order.append(("ended", lanes._close(0.0))))  # as at exit
    end.start()
    end.join(0.05)
    may_end.set()
    for thread in (drain, end):
        thread.join(TIMEOUT)

    assert order == ["closed", ("ended", True)]
