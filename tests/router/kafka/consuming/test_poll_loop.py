"""What the poll thread does, step by step, on a consumer that a test plays: polls without end, bounds, errors, and the close."""

import pytest
from confluent_kafka import KafkaError, KafkaException
from loguru import logger

from millstream.router import ConfigurationError, MillstreamError
from millstream.router.delivery.route import Route
from millstream.router.testing import eventually
from tests.router.kafka.scripted_consumer import BRIEF, TOPIC, WORKER, Listener, Loop, handle, record


@pytest.mark.parametrize("instance", [None, "static-1"])
def test_group_is_left_before_the_client_closes(instance):
    """Commit, unsubscribe, give up, close: no rebalance can meet the close. A static member stays in its group."""
    with Loop(Listener(), group_instance_id=instance, **BRIEF) as loop:
        for message in loop.deliver(2):
            handle(message, WORKER).release()
        loop.consumer.done.clear()
    done = [step for step in loop.consumer.done if step[0] not in ("store", "assign")]

    leaving = [("unsubscribe",), ("unassign",)] if instance is None else []
    assert done == [("commit",), *leaving, ("close",)]


def test_loop_that_was_closed_before_it_began_does_not_join():
    """It would only make its group share out anew, twice."""
    closed = Loop(Listener())
    closed.loop.close()

    assert closed.loop.run()
    assert closed.consumer.done == [("commit",), ("unsubscribe",), ("close",)]


def end(script):
    """Let *script* say what the consumer does, and wait for the end of the thread; raises what it ends with."""
    with Loop(Listener()) as loop:
        script(loop.consumer)
        assert eventually(lambda: not loop.is_alive, 5.0)


def test_failure_of_the_client_is_an_error_of_ours():
    """It names the topic and the reason, and drags nothing of the client along."""

    def fail():
        raise KafkaException(KafkaError(KafkaError._FAIL, "out of order"))

    with pytest.raises(MillstreamError, match=r"consumer of topic 'events' failed: .*out of order") as caught:
        end(lambda consumer: consumer.do(fail))

    assert caught.value.__context__ is None


@pytest.mark.parametrize("code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED])
def test_missing_right_ends_the_loop(code):
    """It would be refused for ever: the error is for people and names topic and group."""
    with pytest.raises(ConfigurationError, match="topic 'events', group 'g'"):
        end(lambda consumer: consumer.give(record(0, error=code)))


def test_other_error_of_a_record_is_passed_over():
    """librdkafka mends it by itself; what came with it is delivered."""
    with Loop(Listener()) as loop:
        loop.consumer.call("assign", 0)
        loop.consumer.give(record(0), record(1, error=KafkaError._TRANSPORT), record(1))
        messages = loop.receive(2)

    assert [message.offset for message in messages] == [0, 1]


def test_refused_store_is_tried_again():
    """What has settled must not wait for the next message of its partition."""
    with Loop(Listener()) as loop:
        (message,) = loop.deliver(1)
        loop.consumer.refusals = 1
        handle(message)
        assert eventually(lambda: loop.consumer.stores, 5.0)

    assert loop.consumer.refusals == 0
    assert loop.consumer.stores == [{0: 1}]


@pytest.fixture
def lines():
    """What is logged, from WARNING on."""
    texts = []
    sink = logger.add(lambda text: texts.append(str(text)), format="{message}", level="WARNING")
    logger.enable("millstream")
    yield texts
    logger.disable("millstream")
    logger.remove(sink)


def test_commit_that_stands_still_is_told(lines):
    """The loop looks at its books, and after `warn_after` names who keeps one back."""
    with Loop(Listener(), warn_after=0.25) as loop:
        (message,) = loop.deliver(1)
        handle(message, "importer")
        assert eventually(lambda: lines, 5.0)

    assert len(lines) == 1
    assert "held by importer" in lines[0]


@pytest.mark.parametrize("pause_after", [0.0, 0.05])
def test_polling_goes_on_while_nobody_receives(pause_after):
    """A full buffer pauses the partitions; the client is polled on and on, and fetches again once there is room."""
    with Loop(Listener(), buffer_messages=2, pause_after=pause_after) as loop:
        loop.consumer.call("assign", 0)
        loop.consumer.give(record(0), record(1), record(2))
        assert eventually(lambda: ("pause", [0]) in loop.consumer.done, 5.0)
        assert loop.polls_on(50)
        for message in loop.receive(3):
            handle(message)
        assert eventually(lambda: ("resume", [0]) in loop.consumer.done)


def test_partition_at_its_bound_is_paused_until_it_settles():
    """No more than max_pending offsets past the commit; the other partition goes on."""
    with Loop(Listener(), max_pending=2) as loop:
        loop.consumer.call("assign", 0, 1)
        loop.consumer.give(record(0), record(1))
        assert eventually(lambda: ("pause", [0]) in loop.consumer.done, 5.0)
        for message in loop.receive(2):
            handle(message)
        assert eventually(lambda: ("resume", [0]) in loop.consumer.done)

    assert ("pause", [1]) not in loop.consumer.done


def test_records_fetched_before_an_outage_are_no_sign_of_life():
    """The end of an outage is said when a record comes after a poll that found none."""
    with Loop(Listener()) as loop:
        watch = loop.watch
        loop.deliver(1)

        def go_down():
            watch.is_in_contact, watch.outage = False, "all down"
            return [record(1)]

        loop.consumer.do(go_down)
        loop.receive(1)
        after_old_record = watch.outage
        assert loop.polls_on()
        loop.consumer.give(record(2))
        assert eventually(lambda: watch.is_in_contact)

    assert after_old_record == "all down"
    assert watch.outage == ""


def end_of(position, partition=0):
    """Return what librdkafka puts in place of a record at the end of a partition."""
    return record(position, partition, error=KafkaError._PARTITION_EOF)


def test_position_at_the_end_of_a_partition_is_committed():
    """What lies between the last message and the end is none: markers of transactions, aborted records, a compacted tail."""
    with Loop(Listener()) as loop:
        loop.consumer.call("assign", 0, 1, 2)
        loop.consumer.give(record(0), record(1), end_of(5), end_of(9, partition=1), record(0, partition=2))
        first, second, other = loop.receive(3)
        assert eventually(lambda: {1: 9} in loop.consumer.stores, 5.0)
        handle(first)
        assert eventually(lambda: {0: 1} in loop.consumer.stores, 5.0)
        for message in (second, other):
            handle(message)
        assert eventually(lambda: len(loop.consumer.stores) == 3, 5.0)
        loop.consumer.give(end_of(5))
        assert loop.polls_on()

    assert loop.consumer.stores == [{1: 9}, {0: 1}, {0: 5, 2: 1}]


def test_record_behind_the_end_that_was_reached_is_delivered():
    """The end is where the next record stands, also when both come out of one poll."""
    with Loop(Listener()) as loop:
        loop.consumer.call("assign", 0)
        loop.consumer.give(record(0), end_of(3), record(3), record(4), end_of(5))
        messages = loop.receive(3)

    assert [message.offset for message in messages] == [0, 3, 4]
    assert loop.listener.lost_ones == []


def test_record_below_the_end_that_was_reached_begins_a_new_epoch():
    """The log was cut behind us: what comes now must not be taken for committed."""
    with Loop(Listener()) as loop:
        loop.consumer.call("assign", 0)
        loop.consumer.give(end_of(5))
        assert eventually(lambda: {0: 5} in loop.consumer.stores, 5.0)
        loop.consumer.give(record(3))
        (message,) = loop.receive(1)
        before = loop.listener.assignments[0]
        handle(message)
        assert eventually(lambda: {0: 4} in loop.consumer.stores, 5.0)

    assert message.assignment is before
    assert len(loop.listener.lost_ones) == 1


class StepSink:
    """Keeps what it is given and says when its records are safe."""

    is_blocked = False

    def __init__(self):
        self.taken = []

    def take_failed(self, message):
        """Keep *message*."""
        self.taken.append(message)


def test_message_above_the_limit_goes_to_the_poison_sink_undecoded():
    """No chain sees it, it names its size and the limit, and its offset waits for the record."""
    listener, sink = Listener(), StepSink()
    with Loop(listener, max_message_bytes=10) as loop:
        (first,) = loop.deliver(1)
        handle(first)
        listener.assignments[0].route = Route("h", TOPIC, "S", sink=sink)
        loop.consumer.give(record(1, value=b"x" * 11), record(2, value=b"x" * 10))
        (fitting,) = loop.buffer.receive(5, 10.0)
        handle(fitting)
        (large,) = sink.taken
        assert eventually(lambda: ("store", {0: 1}) in loop.consumer.done)
        before = loop.consumer.done[-1]
        large.delivery.confirm()
        assert eventually(lambda: ("store", {0: 3}) in loop.consumer.done)

    assert fitting.offset == 2
    assert before == ("store", {0: 1})
    assert "11" in str(large.failures[0].error)


def test_message_above_the_limit_halts_a_router_without_a_sink():
    """Nobody can take it, and delivering it again would change nothing."""
    listener, halted = Listener(), []
    with Loop(listener, max_message_bytes=10) as loop:
        loop.deliver(1)
        listener.assignments[0].route = Route("h", TOPIC, "S", halt=halted.append)
        loop.consumer.give(record(1, value=b"x" * 11))
        assert eventually(lambda: halted)

    assert halted[0].offset == 1


def test_message_above_the_limit_is_delivered_where_there_is_no_router():
    """Outside a router there is no sink and nobody to stop."""
    with Loop(Listener(), max_message_bytes=10) as loop:
        loop.consumer.call("assign", 0)
        loop.consumer.give(record(0, value=b"x" * 11))
        (message,) = loop.receive(1)

    assert len(message.payload) == 11
