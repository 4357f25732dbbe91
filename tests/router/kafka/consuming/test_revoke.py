"""What the poll thread does when partitions go and come back, step by step, on a consumer that a test plays."""

import threading

import pytest
from confluent_kafka import KafkaError

from millstream.router.kafka.config import KafkaSubscriberConfig
from millstream.router.kafka.consuming.rebalances import revoke_seconds
from millstream.router.testing import eventually
from tests.router.kafka.scripted_consumer import BRIEF, WORKER, Listener, Loop, Place, handle, record


def test_revoke_marks_the_assignment_before_it_asks_for_the_flush():
    """Step 1: no chain starts any more, and what was not received leaves the buffer."""
    seen = []

    def look(assignments):
        seen.extend([each.is_closing for each in assignments])
        seen.append(loop.buffer.messages)

    with Loop(Listener(look)) as loop:
        loop.deliver(1)
        loop.consumer.give(record(1), record(2))
        assert eventually(lambda: loop.buffer.messages == 2)
        assert loop.revoke()
        assert seen == [True, 0]


def test_revoke_takes_what_nobody_started_out_of_the_book():
    """Step 1: while it waits for what was begun, nothing else is pending; and that is all it commits."""
    with Loop(Listener()) as loop:
        first, _, _ = loop.deliver(3)
        held = handle(first, WORKER)
        loop.consumer.call("revoke", 0)
        assert eventually(lambda: [each.pending for each in loop.loop.statistics().partitions] == [1], 5.0)
        held.release()
        assert eventually(lambda: ("unassign",) in loop.consumer.done)
        assert loop.consumer.stores == [{0: 1}]


def test_revoke_does_not_wait_for_what_nobody_started():
    """Step 1: what was handled before it is committed at once."""
    with Loop(Listener()) as loop:
        first, _ = loop.deliver(2)
        handle(first)
        assert loop.revoke()
        assert loop.consumer.stores == [{0: 1}]


def test_nacked_message_of_a_partition_that_went_does_not_come_again():
    """Step 1: outside a router the subscription delivers it again, which is now for the next owner to do."""
    with Loop(Listener(), nack_resend_delay=0.0) as loop:
        (message,) = loop.deliver(1)
        message.nack()
        assert loop.revoke()
        assert loop.inbox.redeliveries.take_due(10) == []


def test_message_that_is_nacked_while_its_partition_goes_does_not_come_again():
    """The same while the revoke waits for what was begun."""
    begun = []
    with Loop(Listener(lambda assignments: begun[0].nack()), nack_resend_delay=0.0) as loop:
        begun += loop.deliver(1)
        begun[0].hold(WORKER)
        assert loop.revoke()
        assert loop.inbox.redeliveries.take_due(10) == []


def test_revoke_waits_for_the_flush_and_commits_it():
    """Steps 4 and 5: what a worker releases while the revoke waits is stored, then committed, then the partition goes."""
    holds = []

    def flush(assignments):
        threading.Timer(0.2, lambda: [hold.release() for hold in holds]).start()

    with Loop(Listener(flush)) as loop:
        holds += [handle(message, WORKER) for message in loop.deliver(3)]
        loop.consumer.done.clear()
        assert loop.revoke()
        assert loop.consumer.done[:3] == [("store", {0: 3}), ("commit",), ("unassign",)]


def test_revoke_does_not_wait_for_a_worker_past_its_deadline():
    """Step 4: the partition goes uncommitted, and what the worker held is void."""
    with Loop(Listener(), **BRIEF) as loop:
        (message,) = loop.deliver(1)
        held = handle(message, WORKER)
        assert loop.revoke(timeout=5.0)
        assert held.is_void
        assert loop.consumer.stores == []


CONSUMER = {"group_protocol": "consumer"}
COOPERATIVE = {"assignment_strategy": "cooperative-sticky"}


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        pytest.param({}, 10.0, id="classic"),
        pytest.param({"max_poll_interval": 45.0}, 9.0, id="classic, a fifth of the poll interval"),
        pytest.param({"session_timeout": 6.0}, 3.0, id="classic, half of the session"),
        pytest.param(COOPERATIVE, 10.0, id="cooperative"),
        pytest.param(COOPERATIVE | {"max_poll_interval": 45.0}, 9.0, id="cooperative, a fifth of the poll interval"),
        pytest.param(COOPERATIVE | {"session_timeout": 6.0}, 3.0, id="cooperative, half of the session"),
        pytest.param(CONSUMER, 10.0, id="KIP-848"),
        pytest.param(CONSUMER | {"max_poll_interval": 45.0}, 9.0, id="KIP-848, a fifth of the poll interval"),
        pytest.param(CONSUMER | {"session_timeout": 6.0}, 10.0, id="KIP-848, the session is the broker's"),
    ],
)
def test_drain_inside_a_revoke_is_bounded_by_what_the_group_waits(options, seconds):
    """Invariant "poll never starves": at most 10 s, and never so long that the group gives the member up."""
    assert revoke_seconds(KafkaSubscriberConfig(brokers=["nowhere:1"], group_id="g", **options)) == seconds


def test_settlement_after_a_revoke_stores_nothing():
    """Step 6: the assignment is closed, its holds are void, and a late release finds no book."""
    with Loop(Listener(), **BRIEF) as loop:
        (message,) = loop.deliver(1)
        held = handle(message, WORKER)
        assert loop.revoke()
        held.release()
        assert loop.polls_on()
        assert loop.consumer.stores == []
        assert held.is_void


def test_lost_partition_commits_nothing():
    """What is settled but not stored when a partition is lost belongs to the next owner."""
    listener = Listener()
    with Loop(listener) as loop:
        holds = [handle(message, WORKER) for message in loop.deliver(2)]
        loop.consumer.call("lost", 0)
        assert eventually(lambda: listener.lost_ones)
        for hold in holds:
            hold.release()
        assert loop.polls_on()
        assert loop.consumer.stores == []


def test_reassigned_partition_has_a_book_of_its_own():
    """An offset that was read in an earlier stay is taken in again, under another assignment."""
    with Loop(Listener()) as loop:
        (first,) = loop.deliver(1)
        assert loop.revoke()
        (again,) = loop.deliver(1)
        handle(again)
        assert eventually(lambda: loop.consumer.stores == [{0: 1}])
        assert first.assignment.epoch < again.assignment.epoch


def test_log_that_was_rewound_begins_a_new_epoch():
    """An offset below the newest: what came before is lost, what comes is taken in again, and only that commits."""
    listener = Listener()
    with Loop(listener) as loop:
        loop.consumer.call("assign", 0)
        loop.consumer.give(record(5))
        (old,) = loop.receive(1)
        held = handle(old, WORKER)
        loop.consumer.give(record(2), record(3))
        new, next_one = loop.receive(2)
        held.release()
        assert loop.polls_on()
        assert loop.consumer.stores == []
        for message in (new, next_one):
            handle(message)
        assert eventually(lambda: loop.consumer.stores == [{0: 4}], 5.0)

    assert listener.lost_ones == [old.assignment]
    assert listener.assignments[0] is new.assignment is next_one.assignment
    assert old.assignment.epoch < new.assignment.epoch
    assert held.is_void


@pytest.mark.parametrize("in_runs", [False, True], ids=["messages", "runs"])
@pytest.mark.parametrize("error", [None, KafkaError._PARTITION_EOF], ids=["record", "end"])
def test_what_was_fetched_before_its_partition_came_anew_is_no_part_of_the_new_stay(in_runs, error):
    """One poll asks the client twice: what the first call has brought is read again, and must not move the commit past it."""
    with Loop(Listener()) as loop:
        loop.inbox.takes_runs = in_runs
        loop.consumer.kept[0] = Place(0, 50)
        loop.consumer.call("assign", 0)
        assert eventually(lambda: loop.consumer.starts == {0: 50})
        loop.consumer.give(record(60, error=error))
        loop.consumer.do(lambda: loop.consumer.happen("revoke", "assign"))
        assert eventually(lambda: loop.consumer.done.count(("assign", [0])) == 2)
        assert loop.polls_on()
        assert (loop.consumer.stores, loop.buffer.messages) == ([], 0)


def test_what_was_fetched_before_another_partition_came_is_kept():
    """Its own stay goes on, as with cooperative rebalances."""
    with Loop(Listener()) as loop:
        loop.consumer.call("assign", 1)
        loop.consumer.give(record(7, partition=1))
        loop.consumer.do(lambda: loop.consumer.happen("assign"))
        (message,) = loop.receive(1)
        assert (message.partition, message.offset) == (1, 7)
