"""What a service has to outlive: a clock that jumps, a full log, offsets set back, a store killed, a table gone for a while."""

import contextlib
from collections import Counter

from confluent_kafka import Consumer, TopicPartition

from tests.handlers.cli.run.watching import rows_of

EVENTS = 1_200
BATCH = {"batch_size": 250, "max_batch_size": 500, "flush_interval": 0.3, "retry_interval": 0.2}
TIMEOUT = 90.0
SILENT = ("sh", "-c", 'exec "$@" 2>/dev/full', "sh")
"""Runs a line whose stderr is a full disk."""


def set_back(place, offsets):
    """Commit *offsets*, by partition, as a tool would for a group that has no members."""
    settings = {"bootstrap.servers": place.kafka.bootstrap_servers, "group.id": place.group, "log_level": 0}
    consumer = Consumer({**settings, "enable.auto.commit": False})
    places = [TopicPartition(place.topic, partition, offset) for partition, offset in offsets.items()]
    consumer.commit(offsets=places, asynchronous=False)
    consumer.close()


def test_a_clock_that_jumps_changes_nothing(place):
    """Batches go out by age, commits by interval, and the end by a signal is as quick as ever."""
    place.write(batch=BATCH)
    ids = place.publish_events(EVENTS)
    with place.service(through=("tests.handlers.cli.run.jumping_clock",)) as service:
        place.wait_committed(EVENTS)
        late = place.publish_events(10, "late")  # too few for a batch: only their age sends them
        place.wait_committed(EVENTS + 10)
        code = service.end()

    assert code == 0, service.lines
    assert place.ids() == sorted(ids + late)
    assert service.said("store down") == []


def test_a_log_that_cannot_be_written_stops_nothing(place):
    """With a full disk behind stderr everything is stored, set aside and committed, and only the exit code tells of it."""
    place.write(batch=BATCH)
    ids = place.publish_events(EVENTS)
    place.publish(b"no event")
    with place.service("--once", "--log-level", "DEBUG", inside=SILENT) as service:
        code = service.wait()

    assert code == 3
    assert service.lines == []
    assert place.ids() == sorted(ids)
    assert place.committed() == EVENTS + 1
    assert place.kafka.end_offsets(place.dlq) == {0: 1}


def test_offsets_that_are_set_back_repeat_exactly_what_is_behind_them(place):
    """Seen on a table that keeps repeated rows; the one that `millstream migrate` makes replaces them."""
    place.write(batch=BATCH)
    ids = place.publish_events(EVENTS)
    with place.service("--once") as service:
        assert service.wait() == 0, service.lines
    committed = place.kafka.committed(place.group, place.topic)
    set_back(place, {partition: offset - 200 for partition, offset in committed.items()})
    with place.service("--once") as service:
        assert service.wait() == 0, service.lines

    times = Counter(place.ids())
    assert set(times) == set(ids)
    assert Counter(times.values()) == {1: EVENTS - 200 * len(committed), 2: 200 * len(committed)}
    assert place.kafka.committed(place.group, place.topic) == committed


def test_what_was_committed_outlives_a_store_that_is_killed(breakable_place):
    """An answer of the store means that the row is there after its process was killed in the next moment."""
    place = breakable_place
    place.write(event_processing={"rate_limit": 4_000}, batch=BATCH)
    place.publish_events(EVENTS * 2)
    with place.service() as service:
        place.wait_committed(EVENTS)
        place.clickhouse.kill()
        committed = place.committed()
        place.clickhouse.start()
        _, different = rows_of(place)
        place.wait_committed(EVENTS * 2)
        code = service.end()

    assert code == 0, service.lines
    assert different >= committed
    assert rows_of(place)[1] == EVENTS * 2
    assert place.kafka.end_offsets(place.dlq) == {0: 0}


def test_a_table_that_is_gone_for_a_while_is_waited_for(place):
    """Somebody's to mend and nobody's data: an ERROR says so, nothing is set aside, and once it is back everything is stored."""
    place.write(batch=BATCH)
    table, away = f"{place.database}.{place.table}", f"{place.database}.away"
    with place.service() as service, contextlib.closing(place.clickhouse.open()) as store:
        first = place.publish_events(EVENTS)
        place.wait_committed(EVENTS)
        store.command(f"RENAME TABLE {table} TO {away}")
        second = place.publish_events(EVENTS, "second")
        service.wait_for("nothing is lost")
        while_away = place.committed()
        store.command(f"RENAME TABLE {away} TO {table}")
        place.wait_committed(2 * EVENTS)
        code = service.end()

    assert code == 0, service.lines
    assert while_away == EVENTS
    assert place.ids() == sorted(first + second)
    assert len(service.said("until somebody mends this")) == 1
    assert place.kafka.end_offsets(place.dlq) == {0: 0}
