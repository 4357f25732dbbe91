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


def give(loop, partition, first, count, size):
    """Let *loop* receive *count* records of *size* bytes of *partition*; returns the holds on them."""
    loop.consumer.give(*[record(first + each, partition=partition, value=b"x" * size) for each in range(count)])
    return [handle(message, "user") for message in loop.receive(count)]


def test_partition_that_stands_still_leaves_the_others_what_they_need():
    """It ends at half of all bytes, and a second one at half of the rest; who settles goes on all the time."""
    with Loop(Listener(), max_pending_bytes=1000) as loop:
        for partition in range(3):
            loop.consumer.call("assign", partition)
        give(loop, 0, 0, 5, 100)
        alone = eventually(lambda: loop.consumer.paused == {0})
        give(loop, 1, 0, 3, 100)
        both = eventually(lambda: loop.consumer.paused == {0, 1})
        for number in range(50):
            for held in give(loop, 2, number, 1, 100):
                held.release()
            assert loop.polls_on()
        paused = set(loop.consumer.paused)

    assert (alone, both, paused) == (True, True, {0, 1})


def test_partition_held_back_for_its_bytes_goes_on_at_half_of_them():
    """Not at the first that settles: each pause costs the prefetch."""
    with Loop(Listener(), max_pending_bytes=1000) as loop:
        loop.consumer.call("assign", 0, 1)
        holds = [give(loop, 0, number, 1, 100)[0] for number in range(5)]  # bytes are let go poll by poll
        assert eventually(lambda: loop.consumer.paused == {0})
        for held in holds[:2]:
            held.release()
        assert loop.polls_on()
        above = set(loop.consumer.paused)
        holds[2].release()

        assert above == {0}
        assert eventually(lambda: loop.consumer.paused == set())


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


def test_nothing_is_fetched_while_a_batch_waits_for_its_store():
    """It would only wait here as well, and take memory for as long as the store is away."""
    listener = Listener()
    with Loop(listener) as loop:
        assigned(loop, listener, Route("h", TOPIC, "S"))
        listener.assignments[0].is_stopped = True
        paused = eventually(lambda: loop.consumer.paused == {0})
        listener.assignments[0].is_stopped = False
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
