"""A service that is killed at the worst moments, and started again."""

import contextlib
import signal

import pytest

from tests.handlers.cli.command_aids import make_payload
from tests.handlers.cli.run.kill_at import POINTS
from tests.handlers.cli.run.watching import Watch, lay_out, rows_of, stored_past_commit
from tests.router.kafka.raw_records import read_records

EVENTS, BAD = 4_000, 20
BATCH = 500
PARTITIONS = 3
SESSION_SECONDS = 6.0
SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 21))]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("point", POINTS)
def test_what_is_killed_goes_on_where_it_was(place, point, seed):
    """Every event is in the table or in the poison topic; twice is what was not committed; no commit was ever ahead."""
    place.write(
        kafka={"session_timeout": SESSION_SECONDS},
        batch={"batch_size": BATCH // (1 + seed % 3), "max_batch_size": BATCH, "flush_interval": 0.3},
    )
    ids = place.publish_events(EVENTS)
    place.publish(*[b'{"id":"bad %d"}' % number for number in range(BAD)])
    with contextlib.closing(place.clickhouse.open()) as store:
        layout = lay_out(place, store, EVENTS + BAD, PARTITIONS)
    with Watch(place, PARTITIONS, layout) as watch:
        with place.service(through=("tests.handlers.cli.run.kill_at", point)) as service:
            killed = service.wait()
        uncommitted = stored_past_commit(place, layout)
        with place.service("--once") as service:
            again = service.wait()
    rows, different = rows_of(place)
    count = place.kafka.end_offsets(place.dlq)[0]
    poisoned = {record.value() for record in read_records(place.kafka.bootstrap_servers, place.dlq, count)}

    assert killed == -signal.SIGKILL
    assert again in (0, 3), service.lines
    assert watch.ahead == []
    assert different == len(ids)
    assert rows - different <= uncommitted
    assert len(poisoned) == BAD
    assert make_payload(id=ids[0]) not in poisoned
