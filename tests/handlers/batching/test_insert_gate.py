"""Who may insert next, when several batchers want to."""

import threading

from millstream.handlers.batching import InsertGate
from millstream.handlers.batching.gate import URGENT
from millstream.router.testing import eventually
from tests.handlers.batching.batching_aids import TIMEOUT


def test_the_lazy_lane_yields_to_the_regular_one():
    """When both wait for the gate, the lower rank inserts first, whoever came first."""
    gate, order = InsertGate(), []
    holding, release = threading.Event(), threading.Event()

    def hold():
        with gate.turn(lambda: 0):
            holding.set()
            release.wait(TIMEOUT)

    def take(rank):
        with gate.turn(lambda: rank):
            order.append(rank)

    threads = [threading.Thread(target=hold)]
    threads[0].start()
    assert holding.wait(TIMEOUT)
    for rank in (1, 0):
        threads.append(threading.Thread(target=take, args=(rank,)))
        threads[-1].start()
        assert eventually(lambda: len(gate._waiting) == len(threads) - 1)
    release.set()
    for thread in threads:
        thread.join(TIMEOUT)

    assert order == [0, 1]


def test_a_rank_that_changes_while_it_is_looked_at_keeps_nobody_out():
    """A revoke may make it urgent between any two instructions."""
    ranks = iter([0])
    through = threading.Event()

    def take():
        with InsertGate().turn(lambda: next(ranks, URGENT)):
            through.set()

    threading.Thread(target=take, daemon=True).start()
    assert through.wait(TIMEOUT)


def test_a_rank_that_becomes_urgent_is_noticed_though_nobody_tells():
    """One yields to the other, and the other had yielded to the first: both would wait before a gate that is free."""
    gate, order = InsertGate(), []
    holding, release = threading.Event(), threading.Event()

    def hold():
        with gate.turn(lambda: 0):
            holding.set()
            release.wait(TIMEOUT)

    seen = iter([1])

    def lazy_rank():
        return next(seen, URGENT) if threading.current_thread().name == "lazy" else URGENT

    def take(rank, name):
        with gate.turn(rank):
            order.append(name)

    threads = [
        threading.Thread(target=hold, daemon=True),
        threading.Thread(target=take, args=(lazy_rank, "lazy"), name="lazy", daemon=True),
        threading.Thread(target=take, args=(lambda: 0, "regular"), name="regular", daemon=True),
    ]
    threads[0].start()
    assert holding.wait(TIMEOUT)
    for thread in threads[1:]:
        thread.start()
    assert eventually(lambda: len(gate._waiting) == 2)
    release.set()
    for thread in threads:
        thread.join(TIMEOUT / 5)

    assert order == ["lazy", "regular"]


def test_a_closed_gate_waits_for_the_insert_in_hand_and_lets_none_follow():
    """Closing returns when nobody inserts any more; who comes later waits for ever."""
    gate, order = InsertGate(), []
    holding, release = threading.Event(), threading.Event()

    def hold():
        with gate.turn(lambda: 0):
            holding.set()
            release.wait(TIMEOUT)
            order.append("inserted")

    def take():
        with gate.turn(lambda: 0):
            order.append("too late")

    def close():
        gate.close()
        order.append("closed")

    threads = [threading.Thread(target=target, daemon=True) for target in (hold, close, take)]
    threads[0].start()
    assert holding.wait(TIMEOUT)
    for thread in threads[1:]:
        thread.start()
    assert eventually(lambda: gate.is_closed)
    release.set()
    threads[1].join(TIMEOUT)

    assert order == ["inserted", "closed"]


def test_a_lane_that_becomes_urgent_while_it_waits_goes_first():
    """A revoke waits for its flush: it must not queue behind lanes that nobody waits for."""
    gate, order, ranks = InsertGate(), [], {"regular": 0, "lazy": 1}
    holding, release = threading.Event(), threading.Event()

    def hold():
        with gate.turn(lambda: 0):
            holding.set()
            release.wait(TIMEOUT)

    def take(lane):
        with gate.turn(lambda: ranks[lane]):
            order.append(lane)

    threads = [threading.Thread(target=hold)]
    threads[0].start()
    assert holding.wait(TIMEOUT)
    for lane in ranks:
        threads.append(threading.Thread(target=take, args=(lane,)))
        threads[-1].start()
        assert eventually(lambda: len(gate._waiting) == len(threads) - 1)
    ranks["lazy"] = -1
    release.set()
    for thread in threads:
        thread.join(TIMEOUT)

    assert order == ["lazy", "regular"]


def test_an_insert_that_hangs_keeps_nobody_from_closing():
    """Whoever ends a process waits for it only so long, and hears that it has not ended."""
    gate = InsertGate()
    holding, release = threading.Event(), threading.Event()

    def hold():
        with gate.turn(lambda: 0):
            holding.set()
            release.wait(TIMEOUT)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(TIMEOUT)
    while_it_hangs = gate.close(0.01)
    release.set()
    thread.join(TIMEOUT)

    assert (while_it_hangs, gate.close(TIMEOUT)) == (False, True)


def test_so_many_insert_at_a_time_and_no_more():
    """Two of three are inside; the third goes in when one of them is out, and a close waits for all."""
    gate, inside = InsertGate(2), []
    releases = [threading.Event() for _ in range(3)]

    def insert(place):
        with gate.turn(lambda: 0):
            inside.append(place)
            releases[place].wait(TIMEOUT)

    threads = [threading.Thread(target=insert, args=(place,)) for place in range(3)]
    for count, thread in enumerate(threads[:2], 1):
        thread.start()
        assert eventually(lambda count=count: len(inside) == count)
    threads[2].start()
    assert eventually(lambda: len(gate._waiting) == 1)
    two = list(inside)
    releases[0].set()
    assert eventually(lambda: len(inside) == 3)
    releases[1].set()
    threads[1].join(TIMEOUT)
    is_closed = gate.close(0.01)
    releases[2].set()

    assert (two, is_closed, gate.close(TIMEOUT)) == ([0, 1], False, True)
