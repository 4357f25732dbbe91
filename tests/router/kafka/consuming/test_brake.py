"""When nothing is fetched any more, and when again: bounds in bytes, a poison sink that is blocked, flushes asked for."""

from millstream.router.delivery.route import Route
from millstream.router.testing import FakeWorker, eventually
from tests.router.kafka.scripted_consumer import TOPIC, Listener, Loop, handle, record


class Sink:
    """A poison sink that takes nothing, and is blocked when the test says so."""

    is_blocked = False

    def take_failed(self, message):
        """Nobody fails here."""


def assigned(loop, listener, route):
    """Assign partition 0 to *route*."""
    loop.consumer.call("assign", 0)
    assert eventually(lambda: listener.assignments)
    listener.assignments[0].route = route


def test_bytes_past_the_commit_are_bounded():
    """However few messages they are: what is held keeps all behind it in memory. The worker is asked to flush, once."""
    worker, listener = FakeWorker("batcher"), Listener()
    with Loop(listener, max_pending_bytes=1000) as loop:
        assigned(loop, listener, Route("h", TOPIC, "S", workers=[worker]))
        loop.consumer.give(record(0, value=b"x" * 400), record(1, value=b"x" * 400))
        holds = [handle(message, worker) for message in loop.receive(2)]
        assert loop.polls_on()
        below = set(loop.consumer.paused), list(worker.sealed)
        loop.consumer.give(record(2, value=b"x" * 400))
        holds += [handle(message, worker) for message in loop.receive(1)]
        assert eventually(lambda: loop.consumer.paused == {0})
        assert loop.polls_on()
        sealed = list(worker.sealed)
        holds[0].release()
        assert loop.polls_on()
        above_half = set(loop.consumer.paused)
        for held in holds:
            held.release()
        resumed = eventually(lambda: loop.consumer.paused == set())

    assert below == (set(), [])
    assert sealed == [listener.assignments[0]]
    assert above_half == {0}
    assert resumed


def test_nothing_is_fetched_while_the_poison_sink_is_blocked():
    """What is set aside undecoded never reaches the buffer: the sink itself has to hold back."""
    sink, listener = Sink(), Listener()
    with Loop(listener) as loop:
        assigned(loop, listener, Route("h", TOPIC, "S", sink=sink))
        sink.is_blocked = True
        paused = eventually(lambda: loop.consumer.paused == {0})
        sink.is_blocked = False
        resumed = eventually(lambda: loop.consumer.paused == set())

    assert paused
    assert resumed


def test_partition_at_its_bound_asks_for_a_flush():
    """Otherwise it would wait for the age of the batch that it waits for."""
    worker, listener = FakeWorker("batcher"), Listener()
    with Loop(listener, max_pending=2) as loop:
        assigned(loop, listener, Route("h", TOPIC, "S", workers=[worker]))
        loop.consumer.give(record(0), record(1))
        assert eventually(lambda: loop.consumer.paused == {0})

    assert worker.sealed[0] is listener.assignments[0]
