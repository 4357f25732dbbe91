"""How long partitions stand still while members of a group are killed (-9) and started again, by protocol and membership.

    scripts/kafka start
    python benchmarks/standstill.py --brokers HOST:PORT [--seconds 40] [--every 4] [--session 45]

Three members of one group read six partitions that get a message every 50 ms each; every few seconds one of them is killed and
started again at once. Printed is the longest time in which nothing of a partition was committed, as seen from outside. A member
is a router with a handler that does nothing, so a standstill is the start of a process, its way into the group, and a commit
interval. One that ends by itself is started again as well.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from millstream.router import KafkaSubscriber, KafkaSubscriberConfig, Router, SignalsHandler

CASES = [("classic", True), ("classic", False), ("consumer", False), ("consumer", True)]
"""Protocol, and whether members are static."""
NAMES = {"classic": "classic", "consumer": "new (KIP-848)"}
MEMBERS = 3
PARTITIONS = 6
COMMIT_SECONDS = 0.2
TICK_SECONDS = 0.05
ANSWER_SECONDS = 30.0
FIRST_SECONDS = 120.0
"""How long the group may take until every partition was committed for the first time."""
BEGUN_AT = "STANDSTILL_BEGUN_AT"


@dataclass
class Case:
    """One protocol and membership, and what was seen."""

    brokers: str
    protocol: str
    is_static: bool
    session: float
    topic: str = ""
    members: dict[int, subprocess.Popen] = field(default_factory=dict)
    starts: list[float] = field(default_factory=list)
    """Seconds that members took that were started again; those of the beginning share the machine."""
    _are_again: dict[int, bool] = field(default_factory=dict)
    longest: float = 0.0
    ended: int = 0
    """Members that ended by themselves."""

    def start(self, number):
        """Start the member of a number, in place of the one that has ended."""
        is_again = number in self.members
        if is_again:
            self.note_end(number)
        line = [sys.executable, __file__, "--member", self.topic, "--protocol", self.protocol]
        line += ["--brokers", self.brokers, "--session", str(self.session)]
        line += ["--instance", f"member-{number}"] if self.is_static else []
        environment = {**os.environ, BEGUN_AT: repr(time.monotonic())}
        self.members[number] = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment)
        self._are_again[number] = is_again

    def note_end(self, number):
        """Kill a member if it has not ended, and note how long its start took."""
        self.members[number].kill()
        said, _ = self.members[number].communicate()
        if self._are_again[number]:
            self.starts += [float(word) for word in said.split()]


def run_member(options):
    """Be a member until a signal; says how many seconds its start took."""
    config = KafkaSubscriberConfig(
        brokers=[options.brokers],
        group_id=options.member,
        group_protocol=options.protocol,
        group_instance_id=options.instance,
        session_timeout=options.session,
        commit_interval=COMMIT_SECONDS,
    )
    router = Router()
    router.add_plugin(SignalsHandler())
    router.add_consumer_handler("member", options.member, KafkaSubscriber(config), lambda _: None)
    router.start()
    print(time.monotonic() - float(os.environ[BEGUN_AT]), flush=True)
    router.wait_closed()


def set_up(case):
    """Make a topic, and have the brokers give the members of its group up after the same time with both protocols."""
    admin = AdminClient({"bootstrap.servers": case.brokers})
    case.topic = f"standstill-{case.protocol}-{'static' if case.is_static else 'dynamic'}-{os.getpid()}"
    admin.create_topics([NewTopic(case.topic, PARTITIONS, 1)])[case.topic].result(ANSWER_SECONDS)
    if case.protocol == "consumer":
        entry = ConfigEntry(
            "consumer.session.timeout.ms", str(round(case.session * 1000)), incremental_operation=AlterConfigOpType.SET
        )
        resource = ConfigResource(ResourceType.GROUP, case.topic, incremental_configs=[entry])
        admin.incremental_alter_configs([resource])[resource].result(ANSWER_SECONDS)


class Observer:
    """Feeds every partition and looks at what the group has committed."""

    def __init__(self, case):
        settings = {"bootstrap.servers": case.brokers, "log_level": 0}
        self._producer = Producer({**settings, "linger.ms": 0})
        self._consumer = Consumer({**settings, "group.id": case.topic, "enable.auto.commit": False})
        self._topic = case.topic
        self._moved = {}

    def tick(self):
        """Publish, and look; returns the seconds since each partition moved that has a commit."""
        for partition in range(PARTITIONS):
            self._producer.produce(self._topic, b"message", partition=partition)
        self._producer.poll(0)
        places = [TopicPartition(self._topic, partition) for partition in range(PARTITIONS)]
        answer, now, still = self._consumer.committed(places, ANSWER_SECONDS), time.monotonic(), {}
        for each in answer:
            offset, since = self._moved.get(each.partition, (-1, now))
            still[each.partition] = now - since
            if each.offset > offset:
                self._moved[each.partition] = (each.offset, now)
        return {partition: seconds for partition, seconds in still.items() if partition in self._moved}

    def close(self):
        """Close the connections."""
        self._producer.flush(ANSWER_SECONDS)
        self._consumer.close()


def measure(case, seconds, every):
    """Run one case."""
    set_up(case)
    observer, pause, numbers = Observer(case), threading.Event(), itertools.cycle(range(MEMBERS))
    try:
        for number in range(MEMBERS):
            case.start(number)
        limit = time.monotonic() + FIRST_SECONDS
        while len(observer.tick()) < PARTITIONS:
            assert time.monotonic() < limit, "the group did not begin"
            pause.wait(TICK_SECONDS)
        pause.wait(every)
        observer.tick()
        observer.tick()  # from here on: what went by until now is no standstill
        began = time.monotonic()
        next_kill = began
        while time.monotonic() < began + seconds:
            if time.monotonic() >= next_kill:
                number, next_kill = next(numbers), next_kill + every
                case.start(number)
            for number, member in case.members.items():
                if member.poll() is not None:
                    case.ended += 1
                    case.start(number)
            case.longest = max(case.longest, *observer.tick().values())
            pause.wait(TICK_SECONDS)
    finally:
        for number in case.members:
            case.note_end(number)
        observer.close()


def main():
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", required=True, help="of a cluster for trials, such as that of scripts/kafka")
    parser.add_argument("--seconds", type=float, default=40.0, help="how long each case is watched")
    parser.add_argument("--every", type=float, default=4.0, help="seconds between two kills")
    parser.add_argument("--session", type=float, default=45.0, help="seconds without a heartbeat until one is given up")
    parser.add_argument("--member", help=argparse.SUPPRESS)
    parser.add_argument("--protocol", help=argparse.SUPPRESS)
    parser.add_argument("--instance", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.member is not None:
        run_member(options)
        return
    print("| protocol | members | longest standstill | ended by themselves | start of a process (median) |")
    print("|---|---|---|---|---|")
    for protocol, is_static in CASES:
        case = Case(options.brokers, protocol, is_static, options.session)
        measure(case, options.seconds, options.every)
        kind, start = "static" if is_static else "dynamic", statistics.median(case.starts)
        print(f"| {NAMES[protocol]} | {kind} | {case.longest:.1f} s | {case.ended} | {start:.1f} s |", flush=True)


if __name__ == "__main__":
    main()
