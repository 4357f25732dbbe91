"""`millstream doctor --probe` on real servers, with the lanes of the settings beside it."""

import contextlib

import pytest

from millstream.handlers.lanes import add_lanes
from millstream.handlers.settings.loading import load_settings
from millstream.middleware import FailurePolicy
from millstream.router import Router
from millstream.router.testing import running
from tests.router.kafka.real_kafka import unique

pytestmark = pytest.mark.slow  # a real broker, and a real server

MORE = """
[batch]
flush_interval = 0.2
[billing]
tenant_id = "biller"
environment_id = "prod"
[post_processing]
topic = "{topic}"
"""


@contextlib.contextmanager
def service(place):
    """Consume the lanes of *place* as `run` does, in this process."""
    router = Router()
    router.add_middleware(FailurePolicy(retry=None))
    lanes = add_lanes(router, load_settings(place.folder / "millstream.toml", {}))
    with running(router):
        yield lanes


def test_a_probe_is_timed_and_neither_billed_nor_told(place, capsys, real_kafka, admin):
    """Through the lane into the table: one row, no billing row, nothing in the topic of the post-processing."""
    told = real_kafka.create_topic(prefix=unique("stored"))
    place.more = MORE.format(topic=told)
    place.doctor(capsys)  # writes the settings
    with service(place) as lanes:
        code, lines = place.doctor(capsys, "--probe")
        rows = admin.query(f"SELECT tenant_id, event_name FROM {place.database}.events").rows

    assert code == 0, lines
    assert lines[-1].startswith("ok   probe: doctor-")
    assert " visible " in lines[-1]
    assert rows == [("millstream_probe", "millstream_probe")]
    assert (lanes.service.stats.events, lanes.service.stats.rows) == (1, 1)
    assert real_kafka.end_offsets(told) == {0: 0}


def test_a_probe_that_nobody_stores_is_late(place, capsys, real_kafka):
    """It was sent, and stays in its topic; exit code 5, with what to look at."""
    code, lines = place.doctor(capsys, "--probe", "--probe-timeout", "1")

    assert code == 5, lines
    assert lines[-1].startswith("late probe: doctor-")
    assert "not visible 1 s after it was sent: does millstream run run" in lines[-1]
    assert sum(real_kafka.end_offsets(place.topic).values()) == 1


def test_no_probe_is_sent_where_it_could_not_arrive(place, capsys, real_kafka, admin):
    """Without the table it is left out: it would go to the poison topic later, or wait for ever."""
    admin.command(f"DROP TABLE {place.database}.events SYNC")
    code, lines = place.doctor(capsys, "--probe")

    assert (code, lines[-1]) == (2, "skip probe: not sent, as broker, topic or table is missing")
    assert sum(real_kafka.end_offsets(place.topic).values()) == 0
