"""`millstream run` told to end while its ClickHouse hangs or is down."""

import signal
import time

import pytest

CLOSE_SECONDS = 3.0
"""The drain limit of the services here."""
SLACK_SECONDS = 1.5
"""What unwinding and the end of the interpreter may take, on a busy machine."""
EVENTS, LATER = 100, 70
GOING_AWAY = {"hanging": lambda clickhouse: clickhouse.freeze(), "down": lambda clickhouse: clickhouse.kill()}


@pytest.fixture(params=GOING_AWAY)
def service(breakable_place, request):
    """A service that has stored some events and waits for its store with some more."""
    place = breakable_place
    place.write(router={"close_timeout": CLOSE_SECONDS})
    place.publish_events(EVENTS)
    with place.service("--interval", 0.2) as running:
        place.wait_committed(EVENTS)
        GOING_AWAY[request.param](place.clickhouse)
        place.publish_events(LATER, "later")
        running.wait_for(f"pending={LATER}")
        yield running


def end_of(place):
    """Bring the store back, let another service take over, and return how it ended."""
    place.clickhouse.restore()
    with place.service("--once") as again:
        return again.wait()


def test_a_signal_ends_it_at_the_drain_limit(breakable_place, service):
    """Exit code 5 names what was not done; nothing of it is committed, and whoever is next stores it."""
    place = breakable_place
    began = time.monotonic()
    code = service.end()
    seconds = time.monotonic() - began
    committed = place.committed()
    after = end_of(place)

    assert code == 5, service.lines
    assert service.said("still running at the end of the close time-out"), service.lines
    assert seconds < CLOSE_SECONDS + SLACK_SECONDS
    assert committed == EVENTS
    assert after == 0
    assert len(set(place.ids())) == EVENTS + LATER


def test_a_second_signal_ends_it_at_once(breakable_place, service):
    """Whatever the store does: nothing waits for it, nothing of the rest is committed, and whoever is next stores it."""
    place = breakable_place
    service.send(signal.SIGTERM)
    service.wait_for("closing on a signal")
    began = time.monotonic()
    code = service.end()
    seconds = time.monotonic() - began
    committed = place.committed()
    after = end_of(place)

    assert code == 128 + signal.SIGTERM, service.lines
    assert seconds < SLACK_SECONDS
    assert committed == EVENTS
    assert after == 0
    assert len(set(place.ids())) == EVENTS + LATER
