"""`millstream run` with a lane that commits before it stores: what a kill loses, and what an orderly end does not."""

import signal

import pytest

from tests.router.kafka.raw_records import read_records

pytestmark = pytest.mark.slow

EVENTS = 500


@pytest.fixture
def hasty_place(place):
    """Its lane is at most once, and flushes nothing by itself."""
    place.sections["event_processing"]["delivery"] = "at_most_once"
    place.write(kafka={"session_timeout": 6.0}, batch={"batch_size": 10_000, "flush_interval": 600.0})
    return place


def test_a_kill_loses_what_was_not_flushed_and_nothing_else(hasty_place):
    """It is committed, so it never comes again; what is published later is stored."""
    hasty_place.publish_events(EVENTS)
    with hasty_place.service() as service:
        hasty_place.wait_committed(EVENTS)
        killed = service.end(signal.SIGKILL)
    after_kill = hasty_place.ids()
    later = hasty_place.publish_events(10, "later")
    with hasty_place.service("--once") as service:
        again = service.wait()

    assert (killed, again) == (-signal.SIGKILL, 0), service.lines
    assert after_kill == []
    assert hasty_place.ids() == sorted(later)


def test_an_orderly_end_stores_what_is_committed(hasty_place):
    """SIGTERM flushes it; what is no event is in the DLQ as ever."""
    ids = hasty_place.publish_events(EVENTS)
    hasty_place.publish(b"no event")
    with hasty_place.service() as service:
        hasty_place.wait_committed(EVENTS + 1)
        before = hasty_place.ids()
        code = service.end()
    (record,) = read_records(hasty_place.kafka.bootstrap_servers, hasty_place.dlq, 1)

    assert code == 0, service.lines
    assert before == []
    assert hasty_place.ids() == sorted(ids)
    assert record.value() == b"no event"
