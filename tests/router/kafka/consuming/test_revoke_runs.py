"""Partitions that go while their messages travel in runs: nothing is lost, and nothing committed past what is done."""

import threading

import pytest

from millstream.router.delivery.run import messages_of
from millstream.router.delivery.settlement import RETURNED
from millstream.router.kafka.consuming.received import ReceivedMessage, ReceivedRun
from millstream.router.testing import eventually
from tests.router.delivery.model.stand_ins import take
from tests.router.kafka.scripted_consumer import BRIEF, WORKER, Listener, Loop, record


class Runs(Loop):
    """A loop whose receiver takes runs."""

    def __init__(self, listener=None, **options):
        super().__init__(Listener() if listener is None else listener, **options)
        self.inbox.takes_runs = True

    def receive(self, count):
        """Return the next *count* messages as a run."""
        (run,) = self.inbox.receive(count, 5.0)
        assert isinstance(run, ReceivedRun)
        assert 1 + run.more == count
        return run

    @property
    def pending(self):
        """Messages pending in each partition."""
        return [each.pending for each in self.loop.statistics().partitions]


def test_settled_run_is_stored_once():
    """The offset after its last message."""
    with Runs() as loop:
        take(loop.deliver(3))
        assert eventually(lambda: loop.consumer.stores == [{0: 3}])


def test_revoke_drops_runs_that_wait_to_be_received():
    """From the buffer and from the book; what was done before them is committed."""
    with Runs() as loop:
        take(loop.deliver(2))
        loop.consumer.give(record(2), record(3))
        assert eventually(lambda: loop.buffer.messages == 2)
        assert loop.revoke()
        assert loop.buffer.messages == 0
        assert loop.consumer.stores == [{0: 2}]


def test_revoke_drops_the_rest_of_a_run_that_was_received_in_part():
    """It comes to whoever has the partition next, and is not committed here."""
    with Runs() as loop:
        loop.consumer.call("assign", 0)
        loop.consumer.give(*[record(offset) for offset in range(5)])
        take(loop.receive(2))
        assert loop.revoke()
        assert loop.buffer.messages == 0
        assert loop.consumer.stores == [{0: 2}]


def test_revoke_does_not_wait_for_a_run_that_was_received_and_not_begun():
    """Nor for what it was divided into."""
    with Runs() as loop:
        messages_of(loop.deliver(3))
        assert loop.revoke(5.0)
        assert loop.consumer.stores == []


@pytest.mark.parametrize("part", ["whole", "cut", "divided"])
def test_revoke_waits_for_a_run_that_a_worker_has_and_commits_it(part):
    """What the worker releases while the revoke waits is stored, whatever it has made of the run."""
    pieces = []

    def flush(_):
        threading.Timer(0.05, lambda: [piece.delivery.release(WORKER) for piece in pieces]).start()

    with Runs(Listener(flush)) as loop:
        run = take(loop.deliver(4), WORKER)
        pieces += {"whole": lambda: [run], "cut": lambda: run.cut(3), "divided": run.divide}[part]()
        loop.consumer.give(record(4), record(5))
        assert eventually(lambda: loop.buffer.messages == 2)
        assert loop.revoke()
        assert loop.consumer.stores == [{0: 4}]


def test_revoke_commits_the_piece_that_a_worker_has_done_and_not_the_other():
    """The batch that was cut out of the run is stored, the next one is not: its rows come again."""
    with Runs(**BRIEF) as loop:
        head, tail = take(loop.deliver(5), WORKER).cut(2)
        head.delivery.release(WORKER)
        assert loop.revoke(5.0)
        assert loop.consumer.stores == [{0: 2}]
        tail.delivery.release(WORKER)
        assert loop.polls_on()
        assert loop.consumer.stores == [{0: 2}]
        assert tail.is_void


def test_message_of_a_run_whose_chain_was_cancelled_keeps_the_commit_back():
    """The messages after it are not handled; those before it are committed."""
    with Runs(**BRIEF) as loop:
        messages = loop.deliver(4).divide()
        for message in messages[:2]:
            message.delivery.begin()
            message.delivery.finish()
        messages[2].delivery.begin()
        assert loop.revoke(5.0)
        assert loop.consumer.stores == [{0: 2}]


def test_lost_partition_commits_nothing_of_a_run():
    """Released or not."""
    listener = Listener()
    with Runs(listener) as loop:
        run = take(loop.deliver(3), WORKER)
        loop.consumer.call("lost", 0)
        assert eventually(lambda: listener.lost_ones)
        run.delivery.release(WORKER)
        assert loop.polls_on()
        assert loop.consumer.stores == []
        assert run.is_void


def test_log_that_was_rewound_ends_the_run_and_its_epoch():
    """In the middle of a poll: what came before is void, what comes is a run of the new epoch."""
    listener = Listener()
    with Runs(listener) as loop:
        loop.consumer.call("assign", 0)
        loop.consumer.give(record(5), record(6))
        old = take(loop.receive(2), WORKER)
        loop.consumer.give(record(7), record(2), record(3))
        between, new = loop.inbox.receive(3, 5.0)
        take(new)
        seen = [(run.first, run.offset, run.is_void) for run in (between, new)]
        old.delivery.release(WORKER)
        assert eventually(lambda: loop.consumer.stores == [{0: 4}], 5.0)

    assert listener.lost_ones == [old.assignment]
    assert seen == [(7, 7, True), (2, 3, False)]
    assert between.assignment is old.assignment
    assert old.assignment.epoch < new.assignment.epoch


def test_run_that_reaches_the_bound_past_the_commit_pauses_its_partition():
    """Each of its messages counts; a piece that settles lets it go on."""
    with Runs(max_pending=4) as loop:
        head, _ = take(loop.deliver(5), WORKER).cut(4)
        assert eventually(lambda: loop.consumer.paused == {0})
        head.delivery.release(WORKER)
        assert eventually(lambda: not loop.consumer.paused)


def test_nacked_message_of_a_run_comes_again_before_later_runs():
    """Outside a router the subscription delivers it again, by itself."""
    with Runs(nack_resend_delay=0.0) as loop:
        messages = loop.deliver(3).divide()
        messages[1].nack()
        loop.consumer.give(record(3))
        assert eventually(lambda: loop.buffer.messages == 1)
        first, second = loop.inbox.receive(10, 5.0), loop.inbox.receive(10, 5.0)

    assert first == [messages[1]]
    assert isinstance(first[0], ReceivedMessage)
    assert [(type(entry), entry.first) for entry in second] == [(ReceivedRun, 3)]
    assert messages[0].delivery.chain != RETURNED
