"""Three services of one group that join, leave and are killed at random, while their store is killed twice."""

import contextlib
import itertools
import random
import signal
import threading
import time

import pytest

from millstream.router.testing import eventually
from tests.handlers.cli.command_aids import run, write_events
from tests.handlers.cli.run.chaos_account import Pace, account
from tests.handlers.cli.run.watching import Watch, lay_out, rows_of
from tests.router.kafka.raw_records import read_records

PARTITIONS = 6
SERVICES = 3
SEED = 20_261_128
BATCH = 1_000
"""Messages of a batch, at most: what a kill can repeat is what is in hand."""
COMMIT_SECONDS = 1.0
SIZES = [pytest.param(15.0, 45_000, id="short"), pytest.param(60.0, 200_000, id="long", marks=pytest.mark.soak)]
CLEAN, UNDRAINED = 0, 5


class Services:
    """The processes of the group."""

    def __init__(self, place, stack):
        self._place = place
        self._stack = stack
        self.running = []
        self.started = []
        """All of them, also those that have ended."""
        self.kills = self.leaves = 0

    def join(self):
        """Start one more."""
        self.started.append(self._stack.enter_context(self._place.service()))
        self.running.append(self.started[-1])

    def leave(self, service):
        """End one in order; one that cannot store what it has in hand in time counts as killed: that comes again."""
        service.wait_for("handler started")
        code = service.end()
        assert code in (CLEAN, UNDRAINED), service.lines
        self.running.remove(service)
        self.leaves += 1
        self.kills += code == UNDRAINED

    def kill(self, service):
        """End one at once."""
        service.send(signal.SIGKILL)
        service.wait()
        self.running.remove(service)
        self.kills += 1

    def require_alive(self):
        """Raise when one ended by itself."""
        for service in self.running:
            assert service.process.poll() is None, service.lines


def stir(services, chance, seconds, store_events):
    """Let services come and go for so many seconds, at least two of them killed, and as many leave.

    The *store_events* happen at even times meanwhile.
    """
    for _ in range(SERVICES):
        services.join()
    for service in services.running:
        service.wait_for("partitions assigned")
    began = time.monotonic()
    due = [(began + seconds * number / (len(store_events) + 1), event) for number, event in enumerate(store_events, 1)]
    pause, ends = threading.Event(), itertools.cycle([services.kill, services.leave])
    while due or time.monotonic() < began + seconds or min(services.kills, services.leaves) < 2:
        pause.wait(chance.uniform(0.5, 2.5))
        services.require_alive()
        while due and time.monotonic() >= due[0][0]:
            due.pop(0)[1]()
        # One that was started while the store is down comes no further until an event of ours brings that back.
        started = [service for service in services.running if service.said("handler started")]
        if len(services.running) < SERVICES:
            services.join()
        elif started:
            next(ends)(chance.choice(started))


@pytest.mark.parametrize(("seconds", "events"), SIZES)
@pytest.mark.parametrize("protocol", ["classic", pytest.param("consumer", marks=pytest.mark.soak)])
def test_services_and_their_store_come_and_go_and_nothing_is_lost(breakable_place, seconds, events, protocol):
    """Every event is in the table and told to post-processing; no commit is ahead; what is twice was in hand at a kill."""
    place, rate = breakable_place, events / seconds / SERVICES
    post = place.kafka.create_topic(1, prefix="post")
    place.use_topic(PARTITIONS)
    place.write(
        kafka={"group_protocol": protocol, **({"session_timeout": 6.0} if protocol == "classic" else {})},
        event_processing={"rate_limit": round(rate)},
        batch={"batch_size": 250, "max_batch_size": BATCH, "flush_interval": 0.3, "retry_interval": 0.2},
        router={"close_timeout": 8.0},
        post_processing={"topic": post},
    )
    write_events(place.folder / "in.ndjson", events)
    published = run("publish", "in.ndjson", "--topic", place.topic, cwd=place.folder)
    assert published.returncode == 0, published.stderr
    with contextlib.closing(place.clickhouse.open()) as store:
        layout = lay_out(place, store, events, PARTITIONS)
    store_events = [place.clickhouse.kill, place.clickhouse.start] * 2
    with contextlib.ExitStack() as stack:
        services, pace = Services(place, stack), Pace(place, events, rate)
        watch = stack.enter_context(Watch(place, PARTITIONS, layout))
        stir(services, random.Random(SEED), seconds, store_events)
        assert eventually(pace.is_caught_up, pace.end_of_disturbance()), account(place, services, pace)
        repeats_allowed = services.kills * (2 * BATCH + round(rate * COMMIT_SECONDS))
        for service in list(services.running):
            services.leave(service)
    records = read_records(place.kafka.bootstrap_servers, post, place.kafka.end_offsets(post)[0])
    told = {dict(each.headers())["_watermill_message_uuid"] for each in records}
    rows, ids = rows_of(place)
    stands = account(place, services, pace)

    assert watch.ahead == [], stands
    assert watch.looks >= 2 * seconds, stands
    assert ids == events, stands
    assert rows - ids <= repeats_allowed, stands
    assert place.kafka.end_offsets(place.dlq) == {0: 0}, stands
    assert len(told) == events, stands
