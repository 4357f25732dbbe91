"""Three members of one group that join, leave and are killed at random for a minute, on a real broker, watched from outside."""

import json
import random
import subprocess
import sys
import threading
import time

import pytest
from confluent_kafka import KafkaException, Producer

from millstream.router.testing import eventually
from millstream.router.worker_thread import WorkerThread
from tests.router.kafka.chaos.ledger import Ledger

MESSAGES = 200_000
PARTITIONS = 6
MEMBERS = 3
SEED = 20_261_124
LOOK_SECONDS = 0.1
"""Between looks of the observer."""
SLICE_SECONDS = 0.05
"""Between hand-overs of the publisher, which spreads the messages over the whole time."""
LEAVE_SECONDS = 40
CATCH_UP_SECONDS = 90.0
CLASSIC = {"session_timeout": 6.0, "heartbeat_interval": 0.5}
PROTOCOLS = [
    pytest.param({**CLASSIC, "assignment_strategy": "range"}, 60.0, id="range"),
    pytest.param({"group_protocol": "consumer"}, 60.0, id="KIP-848"),
    pytest.param({**CLASSIC, "assignment_strategy": "cooperative-sticky"}, 25.0, id="cooperative"),
]


class Group:
    """The processes of the group."""

    def __init__(self, kafka, topic, folder, options):
        self._command = [sys.executable, "-m", "tests.router.kafka.chaos.member", kafka.bootstrap_servers, topic]
        self.path = folder / "ledger"
        self._command += [str(self.path), json.dumps({"commit_interval": 0.2, **options})]
        self._errors = (folder / "stderr").open("w+")
        self.processes = []
        self.graceful = {}
        self.kills = self.joins = 0

    def join(self):
        """Let one more take part."""
        self.joins += 1
        self.processes.append(subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=self._errors, text=True))

    def leave(self, process):
        """End *process* in order, once it has its signal handlers."""
        assert process.stdout.readline() == "ready\n", self.stderr()
        process.terminate()
        assert process.wait(LEAVE_SECONDS) == 0, self.stderr()
        self._forget(process)
        self.graceful[process.pid] = time.monotonic_ns()

    def kill(self, process):
        """End *process* with SIGKILL."""
        process.kill()
        process.wait()
        self._forget(process)
        self.kills += 1

    def _forget(self, process):
        process.stdout.close()
        self.processes.remove(process)

    def stderr(self):
        """Return what members complained of."""
        self._errors.seek(0)
        return self._errors.read()[-2000:]

    def close(self):
        """End whoever is left, the hard way."""
        for process in list(self.processes):
            self.kill(process)
        self._errors.close()


def stir(group, chance, seconds):
    """Let members join, leave and be killed, one every few seconds."""
    pause, ends_at = threading.Event(), time.monotonic() + seconds
    departures = in_pairs(chance, [group.kill, group.leave])
    group.join()
    group.join()
    while time.monotonic() < ends_at:
        pause.wait(chance.uniform(1.5, 4.0))
        assert all(process.poll() is None for process in group.processes), group.stderr()
        if len(group.processes) < 2 or (len(group.processes) < MEMBERS and chance.random() < 0.5):
            group.join()
        else:
            next(departures)(chance.choice(group.processes))


def in_pairs(chance, two):
    """Return *two* over and over, each time in a random order: neither becomes rare by chance."""
    while True:
        yield from chance.sample(two, 2)


def publish(kafka, topic, seconds):
    """Write MESSAGES messages over *seconds*."""
    producer, pause = Producer({"bootstrap.servers": kafka.bootstrap_servers}), threading.Event()
    slices = int(seconds / SLICE_SECONDS)
    for part in range(slices):
        for number in range(part * MESSAGES // slices, (part + 1) * MESSAGES // slices):
            producer.produce(topic, b"%d" % number, partition=number % PARTITIONS)
        producer.poll(0)
        pause.wait(SLICE_SECONDS)
    assert producer.flush(20) == 0


def observe(kafka, topic, seen, done):
    """Write down what the group has committed, again and again, from outside it."""
    while not done.wait(LOOK_SECONDS):
        try:
            committed = kafka.committed(topic, topic)
        except KafkaException:
            continue  # a coordinator that is busy with a rebalance; asked again at once
        seen.append((time.monotonic_ns(), committed))


@pytest.mark.parametrize(("options", "seconds"), PROTOCOLS)
def test_members_come_and_go_and_nothing_is_lost_or_ahead(real_kafka, tmp_path, options, seconds):
    """Every message is settled, no commit is ahead, and what an orderly member had finished never comes again."""
    topic, seen, done = real_kafka.create_topic(PARTITIONS), [], threading.Event()
    group = Group(real_kafka, topic, tmp_path, options)
    publishing = WorkerThread("publishing", lambda: publish(real_kafka, topic, seconds - 5.0))
    observing = WorkerThread("observing", lambda: observe(real_kafka, topic, seen, done))
    for thread in (publishing, observing):
        thread.start()
    try:
        stir(group, random.Random(SEED), seconds)
        assert publishing.join(time.monotonic() + CATCH_UP_SECONDS)
        ends = real_kafka.end_offsets(topic)
        caught_up = eventually(lambda: real_kafka.committed(topic, topic) == ends, CATCH_UP_SECONDS)
        for process in list(group.processes):
            group.leave(process)
    finally:
        done.set()
        observing.join(time.monotonic() + CATCH_UP_SECONDS)
        group.close()
    ledger = Ledger.read(group.path.read_text().splitlines(), commits=seen, graceful=group.graceful)

    assert sum(ends.values()) == MESSAGES
    assert ledger.commits_ahead() == []
    assert ledger.unsettled(ends) == []
    assert ledger.repeats_after_graceful_leaves() == []
    assert caught_up, group.stderr()
    # Chaos there was: with this seed the numbers hardly vary.
    assert min(group.kills, len(group.graceful)) >= seconds // 20
    assert group.joins >= 5
    assert len(seen) >= 2 * seconds
    assert len({each.member for each in ledger.settled}) >= 5
