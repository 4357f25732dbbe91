"""A handler that takes runs: past its chain while all is well, message by message where anything is not."""

import asyncio
import threading

import pytest

from millstream.middleware import CorrelationID, FailurePolicy, PoisonQueue, Recoverer, Retry, Throttle
from millstream.router import (
    DROP,
    Cancelled,
    HaltedError,
    PermanentError,
    Router,
    RouterConfig,
    StateError,
    StormLimits,
)
from millstream.router.testing import ManualClock, RecordingHandler, eventually, running
from tests.router.running.run_subscriber import RunSubscriber

AT_ONCE = RouterConfig(nack_resend_delay=0.0)


class Takes:
    """Takes the runs that it is told to; keeps what it was asked for."""

    def __init__(self, answer=lambda run: True):
        self.runs = []
        self._answer = answer

    def __call__(self, run):
        """Take *run*, or not."""
        self.runs.append(list(run.payloads))
        return self._answer(run)


def consumer(handler, take_run, *middlewares, config=AT_ONCE, **options):
    """Return a router with a handler that takes runs, and its subscriber."""
    subscriber, router = RunSubscriber(), Router(config)
    registered = router.add_consumer_handler("h", "t", subscriber, handler, **options)
    registered.take_runs(take_run)
    registered.add_middleware(*middlewares)
    return router, subscriber


def plain(next_handler):
    """A middleware of a user's own."""
    return next_handler


def raising(error):
    """Give an answer that raises."""

    def answer(_run):
        raise error

    return answer


def test_run_is_handled_whole_and_committed():
    """Expect no message of it to go through the chain."""
    handler, takes = RecordingHandler(), Takes()
    router, subscriber = consumer(handler, takes, Recoverer(), PoisonQueue(), Retry(), CorrelationID(), poison=DROP)

    with running(router):
        subscriber.subscription.deliver(b"0", b"1")
        subscriber.subscription.deliver(b"2")
        assert subscriber.subscription.wait_committed(3)

    assert takes.runs == [[b"0", b"1"], [b"2"]]
    assert handler.payloads == []


def test_what_is_not_taken_goes_through_the_chain_one_by_one():
    """Expect each message of a run that was declined to be handled by itself, in order, and the next run whole."""
    handler, takes = RecordingHandler(), Takes(lambda run: b"bad" not in run.payloads)
    router, subscriber = consumer(handler, takes)

    with running(router):
        subscriber.subscription.deliver(b"0", b"bad", b"2")
        subscriber.subscription.deliver(b"3")
        assert subscriber.subscription.wait_committed(4)

    assert handler.payloads == [b"0", b"bad", b"2"]
    assert takes.runs == [[b"0", b"bad", b"2"], [b"3"]]


@pytest.mark.parametrize("error", [ValueError("no"), PermanentError("no"), asyncio.CancelledError()], ids=repr)
def test_error_of_a_run_is_that_of_none_of_its_messages(error):
    """Expect each message to be asked for by itself, whatever was raised for all of them."""
    handler = RecordingHandler()
    router, subscriber = consumer(handler, Takes(raising(error)), FailurePolicy(), poison=DROP)

    with running(router):
        subscriber.subscription.deliver(b"0", b"1")
        assert subscriber.subscription.wait_committed(2)

    assert handler.payloads == [b"0", b"1"]


def test_refused_message_in_the_middle_of_a_run_is_set_aside_alone():
    """Expect the bad message in the poison sink, and the others handled."""
    handler = RecordingHandler(answer=lambda message: refuse(message))

    def refuse(message):
        if message.payload == b"bad":
            raise PermanentError("no event")

    router, subscriber = consumer(handler, Takes(lambda run: False), FailurePolicy(), poison=DROP)
    with running(router):
        subscriber.subscription.deliver(b"0", b"bad", b"2")
        assert subscriber.subscription.wait_committed(3)
        assert eventually(lambda: router.handlers["h"].poisoned == 1)

    assert handler.payloads == [b"0", b"bad", b"2"]


def test_run_behind_a_parked_message_waits_and_other_partitions_go_on():
    """Expect order within the partition: nothing is taken past a message that comes again."""
    gate = threading.Event()

    def once_open(_message):
        if not gate.is_set():
            raise ValueError("not yet")

    handler, takes = RecordingHandler(answer=once_open), Takes(lambda run: b"bad" not in run.payloads)
    router, subscriber = consumer(handler, takes)
    with running(router):
        subscriber.subscription.deliver(b"bad")
        assert eventually(lambda: handler.payloads)
        subscriber.subscription.deliver(b"1", b"2")
        subscriber.subscription.deliver(b"other", partition=1)
        assert subscriber.subscription.wait_committed(1, partition=1)
        assert subscriber.subscription.committed() is None
        gate.set()
        assert subscriber.subscription.wait_committed(3)

    assert takes.runs == [[b"bad"], [b"other"]]
    assert handler.payloads[-2:] == [b"1", b"2"]
    assert set(handler.payloads[:-2]) == {b"bad"}


def test_error_of_our_own_plumbing_stops_the_router_and_commits_nothing():
    """Expect no message to be blamed for it."""
    handler = RecordingHandler()
    router, subscriber = consumer(handler, Takes(raising(HaltedError("no store"))))

    def deliver_until_it_ends():
        with running(router):
            subscriber.subscription.deliver(b"0", b"1")
            assert eventually(lambda: router.is_closed)

    with pytest.raises(HaltedError, match="no store"):
        deliver_until_it_ends()

    assert handler.payloads == []
    assert subscriber.subscription.committed() is None


@pytest.mark.parametrize(("after", "did"), [(None, "returned False"), (ValueError("oh"), "raised oh")])
def test_run_that_was_given_away_and_then_declined_stops_the_router(after, did):
    """Expect no message to be handled a second time: the mistake is told, and nothing is committed."""
    handler = RecordingHandler()

    def give_away(run):
        run.hold(handler)
        if after is not None:
            raise after

    router, subscriber = consumer(handler, Takes(give_away))

    def deliver_until_it_ends():
        with running(router):
            subscriber.subscription.deliver(b"0", b"1")
            assert eventually(lambda: router.is_closed)

    with pytest.raises(HaltedError, match=f"{did} after it gave the run to a batcher"):
        deliver_until_it_ends()
    assert handler.payloads == []
    assert subscriber.subscription.committed() is None


def test_revoke_in_the_middle_of_a_chunk_leaves_what_was_not_begun():
    """Expect the run in hand to be finished, and those behind it, of the partition that goes, to be left alone."""
    began, go_on = threading.Event(), threading.Event()

    def wait(_run):
        began.set()
        return go_on.wait(10)

    handler, takes = RecordingHandler(), Takes(wait)
    router, subscriber = consumer(handler, takes)
    with running(router):
        subscription = subscriber.subscription
        subscription.deliver(b"0")
        assert began.wait(10)
        subscription.deliver(b"1")
        subscription.deliver(b"2", partition=1)
        subscription.revoke()
        go_on.set()
        assert subscription.wait_committed(1, partition=1)
        assert subscription.wait_committed(1)
        assert subscription.books[0].discard_unstarted() == 1

    assert takes.runs == [[b"0"], [b"2"]]
    assert handler.payloads == []


def test_run_that_is_cancelled_by_the_close_is_left_uncommitted():
    """Expect a handler that was called off to have handled nothing, and nothing behind it to be handled."""
    asked = threading.Event()
    handler, takes = RecordingHandler(), Takes()

    def until_closing(run):
        asked.set()
        assert eventually(lambda: run.assignment.scope.is_closing)
        raise Cancelled

    takes._answer = until_closing
    router, subscriber = consumer(handler, takes)
    with running(router):
        subscriber.subscription.deliver(b"0", b"1")
        assert asked.wait(10)

    assert handler.payloads == []
    assert subscriber.subscription.committed() is None


def test_messages_in_runs_count_for_the_storm_guard():
    """Expect a run that was taken to end a row of bad messages, as its messages would have by themselves."""

    def refuse(_message):
        raise PermanentError("no event")

    takes = Takes(lambda run: b"bad" not in run.payloads)
    config = RouterConfig(poison_limits=StormLimits(max_in_a_row=3, max_share=1.0))
    router, subscriber = consumer(
        RecordingHandler(answer=refuse), takes, FailurePolicy(retry=None), poison=DROP, config=config
    )
    with running(router):
        for payloads in ([b"bad", b"bad"], [b"2", b"3"], [b"bad"]):
            subscriber.subscription.deliver(*payloads)
        assert subscriber.subscription.wait_committed(5)

    assert router.handlers["h"].poisoned == 3


@pytest.mark.parametrize(
    ("options", "middleware", "why"),
    [
        ({}, [], "in runs"),
        ({}, [FailurePolicy()], "in runs"),
        ({}, [Throttle(1000)], "in runs"),
        ({}, [Throttle(1000), plain], "middleware plain sees each message"),
        ({"concurrency": 2}, [], "order is kept per message key"),
    ],
)
def test_handler_says_which_way_its_messages_take(options, middleware, why):
    """Expect `describe` to say it, and what keeps runs from being taken whole."""
    router, _ = consumer(RecordingHandler(), Takes(), *middleware, poison=DROP, **options)
    before = router.handlers["h"].describe()
    with running(router):
        told = router.handlers["h"].describe()

    assert before == "handler 'h' on 't': not started"
    assert why in told


def test_runs_are_taken_only_where_that_was_said_before_the_start():
    """Expect an error, as for middleware that is added too late."""
    router, _ = consumer(RecordingHandler(), Takes())
    with running(router), pytest.raises(StateError, match="call take_runs before"):
        router.handlers["h"].take_runs(Takes())


class Admitting:
    """Lets as many messages go as it is told, one number after the other, and then all."""

    def __init__(self, *counts):
        self.asked = []
        self.given_back = []
        self.seen = []
        self._counts = list(counts)

    def admit(self, context, count):
        """Let some of *count* go."""
        self.asked.append(count)
        answer = self._counts.pop(0) if self._counts else count
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def give_back(self, count):
        """Keep *count*."""
        self.given_back.append(count)

    def __call__(self, next_handler):
        """Note each message."""

        def noting(message):
            self.seen.append(message.payload)
            return next_handler(message)

        return noting


FIVE = [b"0", b"1", b"2", b"3", b"4"]


def test_run_goes_in_the_pieces_that_are_admitted():
    """Expect each piece whole, in order, and no message in the chain."""
    takes, admitting = Takes(), Admitting(2, 1)
    router, subscriber = consumer(RecordingHandler(), takes, admitting)

    with running(router):
        subscriber.subscription.deliver(*FIVE)
        assert subscriber.subscription.wait_committed(5)

    assert takes.runs == [FIVE[:2], FIVE[2:3], FIVE[3:]]
    assert admitting.asked == [5, 3, 2]
    assert (admitting.given_back, admitting.seen) == ([], [])


@pytest.mark.parametrize("counts", [(0, -1, 99), (1, 1, 99)])
def test_answer_beyond_what_was_asked_for_is_brought_within(counts):
    """Expect one message at least, and the run at most."""
    takes = Takes()
    router, subscriber = consumer(RecordingHandler(), takes, Admitting(*counts))

    with running(router):
        subscriber.subscription.deliver(*FIVE)
        assert subscriber.subscription.wait_committed(5)

    assert takes.runs == [FIVE[:1], FIVE[1:2], FIVE[2:]]


def test_the_narrowest_of_several_decides():
    """Expect the second to be asked for what the first lets go."""
    takes, wide, narrow = Takes(), Admitting(4), Admitting(3)
    router, subscriber = consumer(RecordingHandler(), takes, wide, narrow)

    with running(router):
        subscriber.subscription.deliver(*FIVE)
        assert subscriber.subscription.wait_committed(5)

    assert takes.runs == [FIVE[:3], FIVE[3:]]
    assert (wide.asked, narrow.asked) == ([5, 2], [4, 2])


def test_piece_that_is_not_taken_gives_its_turns_back():
    """Expect its messages to take turns of their own in the chain, and the other pieces to go whole."""
    handler, admitting = RecordingHandler(), Admitting(2, 2)
    takes = Takes(lambda run: b"3" not in run.payloads)
    router, subscriber = consumer(handler, takes, admitting)

    with running(router):
        subscriber.subscription.deliver(*FIVE)
        assert subscriber.subscription.wait_committed(5)

    assert takes.runs == [FIVE[:2], FIVE[2:4], FIVE[4:]]
    assert handler.payloads == admitting.seen == FIVE[2:4]
    assert admitting.given_back == [2]


def test_rest_of_a_run_behind_a_parked_message_waits():
    """Expect order within the partition: what follows a message that comes again goes through the chain behind it."""
    failures = [ValueError("not yet")]

    def fail_once(message):
        if message.payload == b"1" and failures:
            raise failures.pop()

    handler, takes = RecordingHandler(answer=fail_once), Takes(lambda run: b"1" not in run.payloads)
    router, subscriber = consumer(handler, takes, Admitting(1, 1, 1))
    with running(router):
        subscriber.subscription.deliver(*FIVE)
        assert subscriber.subscription.wait_committed(5)

    assert takes.runs == [FIVE[:1], FIVE[1:2]]
    assert handler.payloads == [b"1", *FIVE[1:]]


@pytest.mark.parametrize("ends", ["closing", "stray"])
def test_wait_that_is_called_off_leaves_the_rest_to_the_chain(ends):
    """Expect nothing of it to be taken where its partition goes, and all of it one by one where nothing does."""
    handler, takes = RecordingHandler(), Takes()
    admitting = Admitting(2, Cancelled())
    router, subscriber = consumer(handler, takes, admitting)
    if ends == "closing":
        admit = admitting.admit

        def closing(context, count):
            if count == 3:
                subscriber.subscription.assignments[0].is_closing = True
            return admit(context, count)

        admitting.admit = closing
    with running(router):
        subscriber.subscription.deliver(*FIVE)
        expected = 2 if ends == "closing" else 5
        assert subscriber.subscription.wait_committed(expected)

    assert takes.runs == [FIVE[:2]]
    assert handler.payloads == ([] if ends == "closing" else FIVE[2:])
    assert subscriber.subscription.committed() == expected


def test_throttle_spreads_a_run_over_time():
    """Expect a lane with a limit to take its runs, and no more of them than the limit lets through."""
    clock, takes = ManualClock(), Takes()
    subscriber, router = RunSubscriber(), Router(AT_ONCE, clock=clock)
    handler = router.add_consumer_handler("h", "t", subscriber, RecordingHandler())
    handler.take_runs(takes)
    handler.add_middleware(Throttle(2, burst=3))
    with running(router):
        subscriber.subscription.deliver(*FIVE)
        assert "in runs" in handler.describe()
        assert eventually(lambda: len(takes.runs) == 1)
        assert clock.wait_for_waiters(1)
        clock.advance(0.5)
        assert eventually(lambda: len(takes.runs) == 2)
        assert clock.wait_for_waiters(1)
        clock.advance(0.5)
        assert subscriber.subscription.wait_committed(5)

    assert takes.runs == [FIVE[:3], FIVE[3:4], FIVE[4:]]


@pytest.mark.parametrize(("middleware", "expected"), [([], []), ([plain], [FIVE[:2], FIVE[2:]])])
def test_payloads_are_prepared_where_their_messages_go_one_by_one(middleware, expected):
    """Expect those of a chunk before the first of them is handled, and none of a run."""
    router, subscriber = consumer(RecordingHandler(), Takes(), *middleware)
    prepared = []
    router.handlers["h"].prepare = prepared.append
    with running(router):
        subscriber.subscription.deliver(*FIVE[:2])
        assert subscriber.subscription.wait_committed(2)
        subscriber.subscription.deliver(*FIVE[2:])
        assert subscriber.subscription.wait_committed(5)

    assert prepared == expected
