"""Three members of one group that join, leave and are killed at random, on a real broker, watched from outside."""

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

PARTITIONS = 6
MESSAGES_PER_SECOND = 3000
MEMBERS = 3
SEED = 20_261_124
SLICE_SECONDS = 0.05
"""Between hand-overs of the publisher, which spreads the messages over the whole time."""
JOIN_SECONDS, FLUSH_SECONDS, CATCH_UP_SECONDS = 60.0, 60.0, 60.0
BLINK_SECONDS = 10.0
"""How long the observer may have seen nothing: a coordinator that shares out anew has no answer for it."""
CLASSIC = {"session_timeout": 6.0, "heartbeat_interval": 0.5}
PROTOCOLS = [
    pytest.param({**CLASSIC, "assignment_strategy": "range"}, id="range"),
    pytest.param({"group_protocol": "consumer"}, id="KIP-848"),
    pytest.param({**CLASSIC, "assignment_strategy": "cooperative-sticky"}, id="cooperative", marks=pytest.mark.soak),
]
SIZES = [pytest.param(15.0, id="short"), pytest.param(60.0, id="long", marks=pytest.mark.soak)]


def ends_of(messages):
    """Return what each partition's log ends at."""
    return {partition: len(range(partition, messages, PARTITIONS)) for partition in range(PARTITIONS)}


def stir(group, chance, seconds, least):
    """Once all members have messages, let them leave, be killed, and join, one every few seconds.

    However busy the machine, *least* of them are killed, and as many leave.
    """
    for _ in range(MEMBERS):
        group.join()
    assert eventually(lambda: group.have_messages == MEMBERS, JOIN_SECONDS), group.complaints()
    pause, ends_at = threading.Event(), time.monotonic() + seconds
    departures = in_pairs(chance, [group.kill, group.leave])
    while time.monotonic() < ends_at or min(group.kills, len(group.left)) < least:
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


def publish(kafka, topic, messages, seconds):
    """Write so many *messages* over *seconds*."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "enable.idempotence": True, "log_level": 0})
    pause = threading.Event()
    slices = int(seconds / SLICE_SECONDS)
    for part in range(slices):
        for number in range(part * messages // slices, (part + 1) * messages // slices):
            producer.produce(topic, b"%d" % number, partition=number % PARTITIONS)
        producer.poll(0)
        pause.wait(SLICE_SECONDS)
    assert producer.flush(FLUSH_SECONDS) == 0


@pytest.mark.parametrize("seconds", SIZES)
@pytest.mark.parametrize("options", PROTOCOLS)
def test_members_come_and_go_and_nothing_is_lost_or_ahead(real_kafka, tmp_path, options, seconds):
    """Every message is settled, no commit is ahead, and what an orderly member had finished never comes again."""
    topic, messages, least = real_kafka.create_topic(PARTITIONS), int(seconds * MESSAGES_PER_SECOND), int(seconds // 15)
    ends = ends_of(messages)
    observer = Observer(real_kafka.bootstrap_servers, topic, topic, PARTITIONS)
    group = Group(real_kafka, topic, tmp_path, options)
    publishing = WorkerThread("publishing", lambda: publish(real_kafka, topic, messages, seconds))
    observer.start()
    publishing.start()
    try:
        assert eventually(lambda: observer.looks, JOIN_SECONDS)
        stir(group, random.Random(SEED), seconds, least)
        departures = (group.kills, len(group.left))
        assert publishing.join(time.monotonic() + FLUSH_SECONDS)
        assert publishing.error is None
        caught_up = eventually(lambda: observer.newest == ends, CATCH_UP_SECONDS)
        group.leave(*group.members)
    finally:
        group.close()
        observer.stop()
    ledger = Ledger(group.texts(), observer.looks)

    assert ledger.commits_ahead() == []
    assert ledger.unsettled(ends) == []
    assert ledger.repeats_after_graceful_leaves() == []
    assert caught_up, group.complaints()
    assert set(ledger.left) == set(group.left)
    # Chaos there was, however busy the machine, and somebody had an eye on it.
    assert min(departures) >= least
    assert ledger.most_at_once == MEMBERS
    assert len(ledger.looks) >= 2 * seconds
    assert ledger.longest_blink < BLINK_SECONDS
