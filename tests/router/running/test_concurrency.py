"""A handler with several threads: order per key, everything else in parallel."""

import threading
from collections import defaultdict

from millstream.router import Router, RouterConfig
from millstream.router.testing import FakeSubscriber, ManualClock, RecordingHandler, eventually, running

KEYS = [b"key-%d" % number for number in range(20)]


def consumer(handler, *, concurrency, config=None, clock=None, partitions=1, **options):
    """Return a router with one concurrent handler on a fake topic, and its subscriber."""
    subscriber = FakeSubscriber(partitions)
    router = Router(config) if clock is None else Router(config, clock=clock)
    router.add_consumer_handler("h", "t", subscriber, handler, concurrency=concurrency, **options)
    return router, subscriber


def test_order_is_kept_per_key():
    """Each key sees its messages in the order of the partition, whichever threads the keys go to."""
    seen = defaultdict(list)
    router, subscriber = consumer(lambda m: seen[m.key].append(int(m.payload)), concurrency=4)

    with running(router):
        for number in range(500):
            subscriber.subscription.deliver(b"%d" % number, key=KEYS[number * 7 % 20])
        assert subscriber.subscription.wait_committed(500)

    assert sum(map(len, seen.values())) == 500
    assert all(numbers == sorted(numbers) for numbers in seen.values())


def test_order_is_kept_per_partition_without_a_key():
    """Messages without a key stay in the order of their partition."""
    seen = defaultdict(list)
    router, subscriber = consumer(lambda m: seen[m.partition].append(m.offset), concurrency=3, partitions=4)

    with running(router):
        for number in range(200):
            subscriber.subscription.deliver(b"x", partition=number % 4)
        assert all(subscriber.subscription.wait_committed(50, partition=number) for number in range(4))

    assert seen == {number: list(range(50)) for number in range(4)}


def test_as_many_threads_work_at_the_same_time_as_asked_for():
    """Four threads meet in the handler; none of them could go on alone."""
    meeting = threading.Barrier(4)
    threads = set()

    def meet(message):
        meeting.wait(10)
        threads.add(threading.current_thread().name)

    router, subscriber = consumer(meet, concurrency=4, partitions=4)

    with running(router):
        for number in range(4):
            subscriber.subscription.deliver(b"x", partition=number)
        assert all(subscriber.subscription.wait_committed(1, partition=number) for number in range(4))

    assert threads == {"h-0", "h-1", "h-2", "h-3"}


def test_one_thread_is_the_default():
    """Without `concurrency` a handler is called by one thread only, in order over all partitions."""
    threads = set()
    router, subscriber = consumer(lambda m: threads.add(threading.current_thread().name), concurrency=1, partitions=4)

    with running(router):
        for number in range(100):
            subscriber.subscription.deliver(b"x", partition=number % 4)
        assert all(subscriber.subscription.wait_committed(25, partition=number) for number in range(4))

    assert threads == {"h"}


def test_nack_parks_its_key_only():
    """Other keys of the same partition go on, also those of the same thread; the parked key keeps its order."""
    clock, failed = ManualClock(), []

    def fail_first(message):
        handled.append(message.payload)
        if message.payload == b"a0" and not failed:
            failed.append(message)
            raise ValueError("once")

    handled = []
    config = RouterConfig(nack_resend_delay=5.0)
    router, subscriber = consumer(fail_first, concurrency=2, config=config, clock=clock)

    with running(router):
        subscription = subscriber.subscription
        subscription.deliver(b"a0", b"a1", key=b"a")
        others = [subscription.deliver(b"x", key=key)[0] for key in KEYS]
        assert eventually(lambda: all(message.is_acked for message in others))
        parked = list(handled), subscription.committed()
        clock.advance(5.0)
        assert subscription.wait_committed(22)

    assert b"a1" not in parked[0]
    assert parked[1] == 0
    assert [payload for payload in handled if payload != b"x"] == [b"a0", b"a0", b"a1"]


def test_commit_waits_for_the_slowest_key():
    """Keys finish in any order; the offset moves only over what is settled without a gap."""
    go_on = threading.Event()
    slow, quick = KEYS[0], next(key for key in KEYS[1:] if is_other_thread(KEYS[0], key, 2))
    router, subscriber = consumer(lambda m: [][: m.key == slow and go_on.wait(10)], concurrency=2)

    with running(router):
        subscription = subscriber.subscription
        subscription.deliver(b"slow", key=slow)
        (last,) = subscription.deliver(b"quick", key=quick)
        assert eventually(lambda: last.is_settled)
        before = subscription.committed()
        go_on.set()
        assert subscription.wait_committed(2)

    assert before == 0


def test_one_slow_key_does_not_let_the_queues_grow_without_bound():
    """The subscription is read only as far as the slowest thread's queue has room."""
    go_on, handler = threading.Event(), RecordingHandler(answer=lambda m: go_on.wait(10) and None)
    router, subscriber = consumer(handler, concurrency=2)

    with running(router):
        subscription = subscriber.subscription
        subscription.deliver(*[b"x"] * 20_000, key=b"slow")
        assert handler.wait_calls(1)
        assert eventually(lambda: not subscription.is_being_read)
        unread = subscription.unread
        go_on.set()
        assert subscription.wait_committed(20_000)

    assert unread > 8_000


def test_close_lets_every_thread_finish_its_message():
    """What was in a handler is committed; what only lay in a queue is not."""
    entered, go_on = threading.Barrier(3), threading.Event()

    def work(message):
        if message.payload == b"first":
            entered.wait(10)
            go_on.wait(10)

    router, subscriber = consumer(work, concurrency=2, partitions=2)
    router.start()
    subscriber.subscription.deliver(b"first", b"second", partition=0)
    subscriber.subscription.deliver(b"first", b"second", partition=1)
    entered.wait(10)
    router.request_close()
    assert eventually(lambda: not router.is_running)
    go_on.set()
    router.close()

    assert [subscriber.subscription.committed(number) for number in range(2)] == [1, 1]


def is_other_thread(one, other, count):
    """Return whether two keys go to different threads of a handler with *count* of them."""
    names = {}
    router, subscriber = consumer(lambda m: names.update({m.key: threading.current_thread().name}), concurrency=count)
    with running(router):
        subscriber.subscription.deliver(b"x", key=one)
        subscriber.subscription.deliver(b"x", key=other)
        subscriber.subscription.wait_committed(2)
    return names[one] != names[other]
