"""Where assigned partitions begin, on a consumer that a test plays: at the commit, where they are told, and never by an error."""

import pytest
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException

from millstream.router import ConfigurationError
from millstream.router.testing import eventually
from tests.router.kafka.scripted_consumer import BRIEF, Listener, Loop, Place, handle, record

pytestmark = pytest.mark.slow  # brokers to talk to: tenths of a second each


def failure(code):
    """Return what confluent-kafka raises for *code*."""
    return KafkaException(KafkaError(code))


def assigned(answers, partitions=(0,), kept=(), **options):
    """Assign *partitions* to a loop whose coordinator gives *answers*, then what is *kept*; returns its consumer in the end.

    The topic has four partitions.
    """
    listener = Listener()
    with Loop(listener, **options) as loop:
        loop.consumer.kept = {each.partition: each for each in kept}
        loop.consumer.answers.extend(answers)
        loop.consumer.call("assign", *partitions)
        assert eventually(lambda: len(listener.assignments) == len(partitions))
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
    assert consumer.done.index(("store", {0: 7})) < consumer.done.index(("commit", {0: 7}))
    assert consumer.kept[0].metadata == "millstream partitions=4"


def test_start_at_the_end_is_committed_before_anything_is_handed_on():
    """A crash after the first message must not lose what came before the first interval."""
    with Loop(Listener(), start_from="latest") as loop:
        loop.consumer.call("assign", 0)
        loop.consumer.give(record(7))
        loop.receive(1)
        committed = dict(loop.consumer.kept)

    assert committed[0].offset == 7


def test_start_at_the_end_that_cannot_be_committed_holds_nobody_up(log_lines):
    """It stays stored, and goes with the commit of the next interval."""
    with Loop(Listener(), start_from="latest") as loop:
        loop.consumer.commit_failure = failure(KafkaError.REBALANCE_IN_PROGRESS)
        loop.consumer.call("assign", 0)
        loop.consumer.give(record(7))
        loop.receive(1)

    assert loop.consumer.stores[0] == {0: 7}
    assert [line for line in log_lines if "not committed yet" in line]


NOTED = "millstream topic=first@cluster partitions=2"


@pytest.mark.parametrize(
    ("kept", "starts"),
    [
        pytest.param([Place(0, 5, metadata=NOTED)], {1: 7, 2: OFFSET_BEGINNING}, id="its number tells"),
        pytest.param([Place(0, 5)], {1: OFFSET_BEGINNING, 2: OFFSET_BEGINNING}, id="without a note, the commits do"),
        pytest.param([Place(3, 5)], {1: 7, 2: 7}, id="who began had all up to the last"),
        pytest.param([], {1: 7, 2: 7}, id="a group that begins now has none that is new"),
        pytest.param(
            [Place(0, 5, metadata="millstream partitions=3"), Place(3, 0, metadata=NOTED)],
            {1: 7, 2: OFFSET_BEGINNING},
            id="the first to begin counts",
        ),
    ],
)
def test_partition_that_was_added_later_begins_at_its_beginning(kept, starts):
    """Though the group starts at the end: records may have come before it heard of the partition."""
    consumer = assigned([], (1, 2), kept, start_from="latest")

    assert consumer.starts == starts


def test_later_commits_keep_the_count():
    """Whoever finds a new partition next year has to know how many there were in the beginning."""
    with Loop(Listener(), start_from="latest") as loop:
        loop.consumer.kept = {0: Place(0, 5, metadata=NOTED)}
        loop.consumer.call("assign", 0)
        loop.consumer.give(record(5))
        handle(*loop.receive(1))
        assert eventually(lambda: {0: 6} in loop.consumer.stores)

    assert loop.consumer.notes == [NOTED]


def test_partition_is_not_started_while_nobody_says_whether_it_is_new():
    """It is asked for again, and given back after a while, as where nobody tells the commits."""
    listener = Listener()
    loop = Loop(listener, start_from="latest", **BRIEF)
    loop.consumer.has_broker = False
    with loop:
        loop.consumer.call("assign", 0)
        assert eventually(lambda: loop.consumer.done.count(("subscribe",)) == 2)
        before = dict(listener.assignments)
        loop.consumer.has_broker = True
        loop.consumer.call("assign", 0)
        assert eventually(lambda: listener.assignments)

    assert before == {}
    assert loop.consumer.starts == {0: 7}


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
