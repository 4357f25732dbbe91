"""Three members of one group that join, leave and are killed at random for a minute, on a real broker, watched from outside."""

import random
import threading
import time

import pytest
from confluent_kafka import Producer

from millstream.router.testing import eventually
from millstream.router.worker_thread import WorkerThread
from tests.router.kafka.chaos.group import Group
from tests.router.kafka.chaos.ledger import Ledger
from tests.router.kafka.chaos.observer import Observer

MESSAGES = 200_000
PARTITIONS = 6
ENDS = {partition: len(range(partition, MESSAGES, PARTITIONS)) for partition in range(PARTITIONS)}
"""What each partition's log ends at."""
MEMBERS = 3
SEED = 20_261_124
SLICE_SECONDS = 0.05
"""Between hand-overs of the publisher, which spreads the messages over the whole time."""
JOIN_SECONDS, FLUSH_SECONDS, CATCH_UP_SECONDS = 20.0, 15.0, 50.0
"""With 60 s of chaos, two times 20 s to leave and the first look this makes 210 s at worst: what hangs is told here, before
pytest's `faulthandler_timeout` ends the whole run."""
CLASSIC = {"session_timeout": 6.0, "heartbeat_interval": 0.5}
PROTOCOLS = [
    pytest.param({**CLASSIC, "assignment_strategy": "range"}, 60.0, id="range"),
    pytest.param({"group_protocol": "consumer"}, 60.0, id="KIP-848"),
    # Shorter, as CI waits for all three: its revokes are those of the other two, partition by partition and by the classic way.
    pytest.param({**CLASSIC, "assignment_strategy": "cooperative-sticky"}, 25.0, id="cooperative"),
]


def stir(group, chance, seconds):
    """Once all members have messages, let them leave, be killed, and join, one every few seconds."""
    for _ in range(MEMBERS):
        group.join()
    assert eventually(lambda: group.have_messages == MEMBERS, JOIN_SECONDS), group.complaints()
    pause, ends_at = threading.Event(), time.monotonic() + seconds
    departures = in_pairs(chance, [group.kill, group.leave])
    while time.monotonic() < ends_at:
        pause.wait(chance.uniform(1.5, 4.0))
        group.require_alive()
        if len(group.members) < 2 or (len(group.members) < MEMBERS and chance.random() < 0.5):
            group.join()
        else:
            next(departures)(chance.choice(group.members))


def in_pairs(chance, two):
    """Return *two* over and over, each time in a random order: neither becomes rare by chance."""
    while True:
        yield from chance.sample(two, 2)


def publish(kafka, topic, seconds):
    """Write MESSAGES messages over *seconds*."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "enable.idempotence": True})
    pause = threading.Event()
    slices = int(seconds / SLICE_SECONDS)
    for part in range(slices):
        for number in range(part * MESSAGES // slices, (part + 1) * MESSAGES // slices):
            producer.produce(topic, b"%d" % number, partition=number % PARTITIONS)
        producer.poll(0)
        pause.wait(SLICE_SECONDS)
    assert producer.flush(FLUSH_SECONDS) == 0


@pytest.mark.parametrize(("options", "seconds"), PROTOCOLS)
def test_members_come_and_go_and_nothing_is_lost_or_ahead(real_kafka, tmp_path, options, seconds):
    """Every message is settled, no commit is ahead, and what an orderly member had finished never comes again."""
    topic = real_kafka.create_topic(PARTITIONS)
    observer = Observer(real_kafka.bootstrap_servers, topic, topic, PARTITIONS)
    group = Group(real_kafka, topic, tmp_path, options)
    publishing = WorkerThread("publishing", lambda: publish(real_kafka, topic, seconds))
    observer.start()
    publishing.start()
    try:
        assert eventually(lambda: observer.looks)
        stir(group, random.Random(SEED), seconds)
        departures = (group.kills, len(group.left))
        assert publishing.join(time.monotonic() + FLUSH_SECONDS)
        assert publishing.error is None
        caught_up = eventually(lambda: observer.newest == ENDS, CATCH_UP_SECONDS)
        group.leave(*group.members)
    finally:
        group.close()
        observer.stop()
    ledger = Ledger(group.texts(), observer.looks)

    assert ledger.commits_ahead() == []
    assert ledger.unsettled(ENDS) == []
    assert ledger.repeats_after_graceful_leaves() == []
    assert caught_up, group.complaints()
    assert set(ledger.left) == set(group.left)
    # Chaos there was, however busy the machine, and somebody had an eye on it.
    assert min(departures) >= seconds // 25
    assert ledger.most_at_once == MEMBERS
    assert len(ledger.looks) >= 6 * seconds
    assert ledger.longest_blink < 5.0
