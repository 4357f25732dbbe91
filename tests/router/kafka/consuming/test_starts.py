"""Where assigned partitions begin, on a consumer that a test plays: at the commit, where they are told, and never by an error."""

import pytest
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException

from millstream.router import ConfigurationError
from millstream.router.testing import eventually
from tests.router.kafka.scripted_consumer import Listener, Loop, Place


def failure(code):
    """Return what confluent-kafka raises for *code*."""
    return KafkaException(KafkaError(code))


def assigned(answers, **options):
    """Assign partition 0 to a loop whose coordinator gives *answers*; returns its consumer when the loop has closed."""
    listener = Listener()
    with Loop(listener, **options) as loop:
        loop.consumer.answers.extend(answers)
        loop.consumer.call("assign", 0)
        assert eventually(lambda: listener.assignments)
    return loop.consumer


def test_partition_begins_at_its_commit():
    """`start_from` is for partitions without one."""
    consumer = assigned([lambda places: [Place(0, offset=5)]], start_from="latest")

    assert consumer.starts == {0: 5}
    assert not any(step[0] == "store" for step in consumer.done)


def test_partition_without_a_commit_begins_at_the_beginning():
    """By default nothing that is in the log is skipped."""
    assert assigned([]).starts == {0: OFFSET_BEGINNING}


def test_start_at_the_end_is_committed():
    """Whoever has the partition next begins there too, and not at an end that has moved on past what nobody handled."""
    consumer = assigned([], start_from="latest")

    assert consumer.starts == {0: 7}
    assert ("store", {0: 7}) in consumer.done


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(failure(KafkaError.NOT_COORDINATOR), id="no coordinator yet"),
        pytest.param(failure(KafkaError._TIMED_OUT), id="no answer"),
        pytest.param(
            lambda places: [Place(0, error=KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT))], id="one partition"
        ),
    ],
)
def test_error_is_not_taken_for_no_commit(answer):
    """The question is asked again: the partition would skip or repeat messages otherwise."""
    consumer = assigned([answer, lambda places: [Place(0, offset=5)]], start_from="latest")

    assert consumer.starts == {0: 5}


def test_group_is_joined_again_when_nobody_tells_the_commits():
    """Nothing ends, nothing is read from a place that was guessed, and the partition is ours in the end."""
    listener = Listener()
    with Loop(listener, pause_after=0.1, max_poll_interval=0.5, session_timeout=0.4, heartbeat_interval=0.1) as loop:
        unclear = failure(KafkaError.NOT_COORDINATOR)
        loop.consumer.answers.extend([unclear] * 3)
        loop.consumer.call("assign", 0)
        assert eventually(lambda: loop.consumer.done.count(("subscribe",)) == 2)
        before = dict(listener.assignments)
        loop.consumer.answers.clear()
        loop.consumer.call("assign", 0)
        assert eventually(lambda: listener.assignments)
    steps = [step for step in loop.consumer.done if step[0] in ("subscribe", "assign", "unsubscribe")]

    assert before == {}
    assert steps[:5] == [("subscribe",), ("assign", []), ("unsubscribe",), ("subscribe",), ("assign", [0])]


def refuse():
    """Assign a partition whose commits may not be read, and wait for the end of the thread."""
    with Loop(Listener()) as loop:
        loop.consumer.answers.append(failure(KafkaError.GROUP_AUTHORIZATION_FAILED))
        loop.consumer.call("assign", 0)
        assert eventually(lambda: not loop.is_alive)


def test_refusal_is_an_error_that_names_the_group():
    """No asking again changes what we may not read."""
    with pytest.raises(ConfigurationError, match="group 'g': committed offsets are refused"):
        refuse()
