"""What the poll thread does, step by step, on a consumer that a test plays: a revoke in order, and polls without end."""

import threading

import pytest
from confluent_kafka import KafkaError, KafkaException

from millstream.router import MillstreamError
from millstream.router.route import Route
from millstream.router.settlement import ACKED, RETURNED
from millstream.router.testing import FakeWorker, eventually
from tests.router.kafka.scripted_consumer import TOPIC, Listener, Loop, record

WORKER = FakeWorker("batcher")


def handle(message, owner=None):
    """Do to *message* what a router does: run its chain, which takes a hold when there is an *owner*."""
    message._chain = 1
    held = None if owner is None else message.hold(owner)
    message._verdict, message._chain = ACKED, RETURNED
    return held


def give(loop, listener, count):
    """Assign partition 0 and deliver *count* messages of it; returns them."""
    loop.consumer.call("assign", 0)
    loop.consumer.give(*[record(offset) for offset in range(count)])
    messages = loop.buffer.receive(count, 10.0)
    listener.assignments[0].route = Route("h", TOPIC, "S", workers=[WORKER])
    return messages


def revoke(loop):
    """Take partition 0 away and wait until that is over."""
    before = loop.consumer.done.count(("unassign",))
    loop.consumer.call("revoke", 0)
    assert eventually(lambda: loop.consumer.done.count(("unassign",)) > before, 20.0)


def test_revoke_marks_the_assignment_before_it_asks_for_the_flush():
    """Step 1: no chain starts any more, and what was not received leaves the buffer."""
    seen = []

    def look(assignments):
        seen.extend([each.is_closing for each in assignments])
        seen.append(loop.buffer._count)

    listener = Listener(look)
    with Loop(listener) as loop:
        give(loop, listener, 1)
        loop.consumer.give(record(1), record(2))
        assert eventually(lambda: loop.buffer._count == 2)
        revoke(loop)

    assert seen == [True, 0]


def test_revoke_does_not_wait_for_what_nobody_started():
    """Step 1: messages that no chain has begun leave the book, and what was handled before them is committed."""
    listener = Listener()
    with Loop(listener) as loop:
        first, _ = give(loop, listener, 2)
        handle(first)
        revoke(loop)

    assert ("store", {0: 1}) in loop.consumer.done


def test_revoke_waits_for_the_flush_and_commits_it():
    """Steps 4 and 5: what a worker releases while the revoke waits is stored, then committed, then the partition goes."""
    releasing = threading.Event()
    listener = Listener(lambda assignments: threading.Timer(0.2, releasing.set).start())
    with Loop(listener) as loop:
        holds = [handle(message, WORKER) for message in give(loop, listener, 3)]
        loop.consumer.done.clear()

        def release():
            releasing.wait(10)
            for hold in holds:
                hold.release()

        thread = threading.Thread(target=release)
        thread.start()
        revoke(loop)
        thread.join()
        done = list(loop.consumer.done)

    assert done[:3] == [("store", {0: 3}), ("commit",), ("unassign",)]


def test_settlement_after_a_revoke_stores_nothing():
    """Step 6: the assignment is closed, its holds are void, and a late release finds no book."""
    listener = Listener()
    with Loop(listener) as loop:
        (message,) = give(loop, listener, 1)
        held = handle(message, "user")
        revoke(loop)
        is_void = held.is_void
        held.release()
        polls = loop.consumer.polls
        assert eventually(lambda: loop.consumer.polls > polls + 100)

    assert is_void
    assert [step for step in loop.consumer.done if step[0] == "store"] == []


@pytest.mark.parametrize("instance", [None, "static-1"])
def test_group_is_left_before_the_client_closes(instance):
    """Commit, unsubscribe, give up, close: no rebalance can meet the close. A static member stays in its group."""
    listener = Listener()
    with Loop(listener, group_instance_id=instance) as loop:
        for message in give(loop, listener, 2):
            handle(message, WORKER).release()
        loop.consumer.done.clear()
    done = [step for step in loop.consumer.done if step[0] not in ("store", "assign")]

    leaving = [("unsubscribe",), ("unassign",)] if instance is None else []
    assert done == [("commit",), *leaving, ("close",)]


def test_lost_partition_commits_nothing():
    """What is settled but not stored when a partition is lost belongs to the next owner."""
    listener = Listener()
    with Loop(listener) as loop:
        messages = give(loop, listener, 2)
        holds = [handle(message, WORKER) for message in messages]
        loop.consumer.call("lost", 0)
        assert eventually(lambda: listener.lost_ones)
        for hold in holds:
            hold.release()

    assert [step for step in loop.consumer.done if step[0] == "store"] == []


def test_reassigned_partition_has_a_book_of_its_own():
    """An offset that was read in an earlier stay is taken in again, under another assignment."""
    listener = Listener()
    with Loop(listener) as loop:
        (first,) = give(loop, listener, 1)
        revoke(loop)
        (again,) = give(loop, listener, 1)
        handle(again)
        assert eventually(lambda: ("store", {0: 1}) in loop.consumer.done)

    assert first.assignment is not again.assignment
    assert first.assignment.epoch < again.assignment.epoch


def fail(error):
    """Let a poll raise *error*, and wait for the end of the thread."""

    def step():
        raise error

    with Loop(Listener()) as loop:
        loop.consumer.do(step)
        assert eventually(lambda: not loop.is_alive)


def test_failure_of_the_client_is_an_error_of_ours():
    """It names the topic and the reason, and drags nothing of the client along."""
    with pytest.raises(MillstreamError, match=r"consumer of topic 'events' failed: .*out of order") as caught:
        fail(KafkaException(KafkaError(KafkaError._FAIL, "out of order")))

    assert caught.value.__context__ is None


@pytest.mark.parametrize("pause_after", [0.0, 0.05])
def test_polling_goes_on_while_nobody_receives(pause_after):
    """A full buffer pauses the partitions; the client is polled on and on, and fetches again once there is room."""
    listener = Listener()
    with Loop(listener, buffer_messages=2, pause_after=pause_after) as loop:
        loop.consumer.call("assign", 0)
        loop.consumer.give(record(0), record(1), record(2))
        assert eventually(lambda: ("pause", [0]) in loop.consumer.done)
        polls = loop.consumer.polls
        assert eventually(lambda: loop.consumer.polls > polls + 50)
        for message in loop.buffer.receive(3, 1.0):
            handle(message)
        assert eventually(lambda: ("resume", [0]) in loop.consumer.done)


def test_partition_at_its_bound_is_paused_until_it_settles():
    """No more than max_pending offsets past the commit; the other partition goes on."""
    listener = Listener()
    with Loop(listener, max_pending=2) as loop:
        loop.consumer.call("assign", 0, 1)
        loop.consumer.give(record(0), record(1))
        assert eventually(lambda: ("pause", [0]) in loop.consumer.done)
        for message in loop.buffer.receive(2, 1.0):
            handle(message)
        assert eventually(lambda: ("resume", [0]) in loop.consumer.done)

    assert ("pause", [1]) not in loop.consumer.done


def test_records_fetched_before_an_outage_are_no_sign_of_life():
    """The end of an outage is said when a record comes after a poll that found none."""
    listener = Listener()
    with Loop(listener) as loop:
        watch = loop.loop._watch
        give(loop, listener, 1)

        def go_down():
            watch.is_in_contact, watch.outage = False, "all down"
            return [record(1)]

        loop.consumer.do(go_down)
        loop.buffer.receive(1, 10.0)
        after_old_record = watch.outage
        polls = loop.consumer.polls
        assert eventually(lambda: loop.consumer.polls > polls + 2)
        loop.consumer.give(record(2))
        assert eventually(lambda: watch.is_in_contact)

    assert after_old_record == "all down"
    assert watch.outage == ""


class StepSink:
    """Keeps what it is given and says when its records are safe."""

    def __init__(self):
        self.taken = []

    def take_failed(self, message):
        """Keep *message*."""
        self.taken.append(message)


def test_message_above_the_limit_goes_to_the_poison_sink_undecoded():
    """No chain sees it, it names its size and the limit, and its offset waits for the record."""
    listener, sink = Listener(), StepSink()
    with Loop(listener, max_message_bytes=10) as loop:
        (first,) = give(loop, listener, 1)
        handle(first)
        listener.assignments[0].route = Route("h", TOPIC, "S", sink=sink)
        loop.consumer.give(record(1, value=b"x" * 11), record(2, value=b"x" * 10))
        (fitting,) = loop.buffer.receive(5, 10.0)
        handle(fitting)
        (large,) = sink.taken
        assert eventually(lambda: ("store", {0: 1}) in loop.consumer.done)
        before = loop.consumer.done[-1]
        large._make_extra().is_confirmed = True
        assert eventually(lambda: ("store", {0: 3}) in loop.consumer.done)

    assert fitting.offset == 2
    assert before == ("store", {0: 1})
    assert "11" in str(large.failures[0].error)


def test_message_above_the_limit_halts_a_router_without_a_sink():
    """Nobody can take it, and delivering it again would change nothing."""
    listener, halted = Listener(), []
    with Loop(listener, max_message_bytes=10) as loop:
        give(loop, listener, 1)
        listener.assignments[0].route = Route("h", TOPIC, "S", halt=halted.append)
        loop.consumer.give(record(1, value=b"x" * 11))
        assert eventually(lambda: halted)

    assert halted[0].offset == 1


def test_message_above_the_limit_is_delivered_where_there_is_no_router():
    """Outside a router there is no sink and nobody to stop."""
    listener = Listener()
    with Loop(listener, max_message_bytes=10) as loop:
        loop.consumer.call("assign", 0)
        loop.consumer.give(record(0, value=b"x" * 11))
        (message,) = loop.buffer.receive(1, 10.0)

    assert len(message.payload) == 11
