"""Members that are killed and come back: how long their partitions stand still. On real Kafka and real ClickHouse."""

import contextlib
import datetime
import itertools
import os
import re
import signal
import threading
import time

import pytest

from tests.handlers.cli.run.standing_still import Feed, Standstill
from tests.handlers.cli.run.test_workers_real import pids

PARTITIONS = 6
MEMBERS = 3
KILL_EVERY = 4.0
LONGEST = 4.0
"""Seconds that a partition may stand still: the start of a process, its way into the group, a batch."""
START_SECONDS = 1.0
"""What the start of a process takes of it. What it took beyond that, as others had the machine, is not held against us."""
SIZES = [
    pytest.param(15.0, id="short", marks=pytest.mark.slow),
    pytest.param(40.0, id="long", marks=pytest.mark.soak),
]
BATCH = {"flush_interval": 0.3, "retry_interval": 0.2}


class Workers:
    """One `millstream run --workers`, which starts again who is killed."""

    def __init__(self, place, stack):
        self.service = stack.enter_context(place.service("--workers", MEMBERS))
        self._starts = MEMBERS
        pids(self.service, self._starts)

    def kill(self, number):
        """Kill the worker of a number, and wait until another is started."""
        os.kill(pids(self.service, self._starts)[number], signal.SIGKILL)
        self._starts += 1
        pids(self.service, self._starts)

    def end(self):
        """End all, and return their exit codes."""
        return [self.service.end()]

    @property
    def lines(self):
        """What was said."""
        return self.service.lines

    def starts(self):
        """Return how many seconds each start took until a handler ran."""
        seconds, begun = [], {}
        for line in self.lines:
            number = re.search(r" worker=(\d+)", line)
            if number and "worker started" in line:
                begun[number[1]] = time_of(line)
            elif number and "handler started" in line:
                seconds.append((time_of(line) - begun[number[1]]).total_seconds())
        return seconds


class Instances:
    """Several `millstream run --instance`, and who starts them again."""

    def __init__(self, place, stack):
        self._place = place
        self._stack = stack
        self._begun = []
        """Each that was started, and when."""
        self._members = {number: self._start(number) for number in range(1, MEMBERS + 1)}

    def _start(self, number):
        at = datetime.datetime.now()
        member = self._stack.enter_context(self._place.service("--instance", f"pod-{number}"))
        self._begun.append((member, at))
        return member

    def kill(self, number):
        """Kill one, and start it again; none may have ended by itself."""
        self.require_alive()
        self._members[number].send(signal.SIGKILL)
        self._members[number].wait()
        self._members[number] = self._start(number)

    def require_alive(self):
        """Raise when one ended by itself."""
        for member in self._members.values():
            assert member.process.poll() is None, member.lines

    def end(self):
        """End all, and return their exit codes."""
        self.require_alive()
        for member in self._members.values():
            member.wait_for("handler started")  # a signal before would end it at once
        for member in self._members.values():
            member.send(signal.SIGTERM)
        return [member.wait() for member in self._members.values()]

    @property
    def lines(self):
        """What was said by those that are there."""
        return [line for member in self._members.values() for line in member.lines]

    def starts(self):
        """Return how many seconds each start took until a handler ran."""
        lines = [(member.said("handler started"), at) for member, at in self._begun]
        return [(time_of(said[0]) - at).total_seconds() for said, at in lines if said]


def time_of(line):
    """Return when a line of a service was said."""
    return datetime.datetime.fromisoformat(line[:23])


def kill_one_after_the_other(members, seconds):
    """Kill a member every `KILL_EVERY` seconds, for so many."""
    pause, began = threading.Event(), time.monotonic()
    for count, number in enumerate(itertools.cycle(range(1, MEMBERS + 1)), 1):
        if count * KILL_EVERY > seconds:
            break
        pause.wait(max(0.0, began + count * KILL_EVERY - time.monotonic()))
        members.kill(number)
    pause.wait(max(0.0, began + seconds + LONGEST - time.monotonic()))


def run_members(place, kind, seconds):
    """Kill members under load; returns the longest standstill, less what the slowest start took for want of a processor, the exit
    codes, what was published, and what was said."""
    with contextlib.ExitStack() as stack:
        members = kind(place, stack)
        feed = stack.enter_context(Feed(place, PARTITIONS))
        watch = stack.enter_context(Standstill(place, PARTITIONS))
        watch.wait_begun()
        kill_one_after_the_other(members, seconds)
        watch.stop()
        feed.stop()
        place.wait_committed(len(feed.ids))
        codes = members.end()
    excess = max(0.0, max(members.starts()) - START_SECONDS)
    return watch.longest - excess, codes, feed.ids, members.lines


@pytest.mark.parametrize("seconds", SIZES)
@pytest.mark.parametrize(
    "kind", [pytest.param(Workers, id="workers"), pytest.param(Instances, id="instances", marks=pytest.mark.soak)]
)
def test_no_partition_stands_still_while_members_are_killed(place, kind, seconds):
    """One every four seconds, started again at once: static members of the classic protocol have their partitions back."""
    place.use_topic(PARTITIONS)
    place.write(batch=BATCH)
    longest, codes, ids, lines = run_members(place, kind, seconds)

    assert longest <= LONGEST, lines
    assert set(codes) == {0}, lines
    assert set(place.ids()) == set(ids)


@pytest.mark.soak
def test_with_the_new_protocol_nobody_ends_by_itself(place):
    """Static members are refused while their old selves have a session: they wait, and everything is stored in the end."""
    place.use_topic(PARTITIONS)
    place.write(batch=BATCH, kafka={"group_protocol": "consumer"})
    _, codes, ids, lines = run_members(place, Instances, 40.0)

    assert set(codes) == {0}, lines
    assert set(place.ids()) == set(ids)
