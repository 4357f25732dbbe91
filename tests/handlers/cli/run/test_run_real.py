"""`millstream run` from a real Kafka into a real ClickHouse."""

import re
import time
from pathlib import Path

import pytest

from millstream.router.testing import eventually
from tests.handlers.cli.command_aids import make_payload, run
from tests.handlers.cli.run.service_process import TIMEOUT
from tests.handlers.events.event_payloads import make_batch
from tests.handlers.events.publisher_aids import event
from tests.router.kafka.raw_records import read_records

pytestmark = pytest.mark.slow

EVENTS_PAGE = Path(__file__).resolve().parents[4] / "docs" / "events.md"


def test_every_event_is_stored_once_and_then_committed(place):
    """Of all partitions; the end by a signal is clean, and each lane and each assignment has its line."""
    place.write()
    ids = place.publish_events(3000)
    with place.service() as service:
        place.wait_committed(3000)
        code = service.end()

    assert code == 0, service.lines
    assert place.ids() == sorted(ids)
    (lane,) = service.said("registered batching event consumption handler")
    assert all(
        f in lane for f in (f"topic={place.topic}", f"group={place.group}", f"poison={place.dlq}", "batch_size=250")
    )
    assert service.said("partitions assigned")
    assert not service.said("batch flush successful"), "what is said of each batch is too much for a service"


def test_a_restart_after_a_signal_under_load_repeats_nothing(place):
    """What was in hand at the signal is stored and committed before the end, which is within the time for it."""
    place.write(event_processing={"rate_limit": 2000}, router={"close_timeout": 20.0})
    ids = place.publish_events(6000)
    with place.service() as first:
        assert eventually(lambda: place.ids(), TIMEOUT), first.lines
        told = time.monotonic()
        code = first.end()
        took = time.monotonic() - told
    stored = place.ids()
    with place.service("--once") as second:
        again = second.wait()

    assert (code, again) == (0, 0), (first.lines, second.lines)
    assert len(stored) < len(ids), "ended too late to have had a load"
    assert took < 20.0
    assert place.ids() == sorted(ids)


def test_once_ends_when_what_was_there_is_consumed(place):
    """What cannot be stored is in the poison topic with its reason, and the exit code says so."""
    place.write(batch={"flush_interval": 60.0})
    ids = place.publish_events(100)
    place.publish(b"no event", make_payload(id=""), b"{}")
    with place.service("--once") as service:
        code = service.wait()
    assert code == 3, service.lines
    records = read_records(place.kafka.bootstrap_servers, place.dlq, 3)

    assert place.ids() == sorted(ids)
    assert {record.value() for record in records} == {b"no event", make_payload(id=""), b"{}"}
    assert all(dict(record.headers())["reason_poisoned"] for record in records)


def test_once_on_topics_that_are_consumed_ends_at_once(place):
    """There is nothing to wait for: neither in a topic that is empty nor in one that was read to its end."""
    place.write()
    with place.service("--once") as empty:
        first = empty.wait()
    place.publish_events(10)
    with place.service("--once") as full:
        second = full.wait()
    with place.service("--once") as done:
        third = done.wait()

    assert (first, second, third) == (0, 0, 0), (empty.lines, full.lines, done.lines)
    assert len(place.ids()) == 10


def test_each_enabled_lane_is_consumed(place):
    """Regular, lazy and replay side by side, each with its own topic and group, into one table."""
    lazy, replay = (place.kafka.create_topic(1, prefix=name) for name in ("lazy", "replay"))
    place.write(
        event_processing_lazy={
            "enabled": True,
            "topic": lazy,
            "consumer_group": f"{lazy}-group",
            "topic_dlq": place.dlq,
        },
        event_processing_replay={
            "enabled": True,
            "topic": replay,
            "consumer_group": f"{replay}-group",
            "topic_dlq": "drop",
        },
    )
    ids = place.publish_events(20) + place.publish_events(20, "lazy", lazy) + place.publish_events(20, "replay", replay)
    with place.service("--once") as service:
        code = service.wait()

    assert code == 0, service.lines
    assert place.ids() == sorted(ids)
    assert len(service.said("registered batching event consumption handler")) == 3


def test_stored_events_are_told_to_post_processing(place):
    """Each event is on its topic before its offset is committed."""
    topic = place.kafka.create_topic(1, prefix="post")
    place.write(post_processing={"topic": topic})
    ids = place.publish_events(50)
    with place.service("--once") as service:
        code = service.wait()
    assert code == 0, service.lines
    records = read_records(place.kafka.bootstrap_servers, topic, 50)

    assert place.ids() == sorted(ids)
    assert sorted(dict(record.headers())["_watermill_message_uuid"].decode() for record in records) == sorted(ids)


def test_an_event_that_post_processing_does_not_take_is_poisoned(place):
    """It is stored, its neighbours are told, it is counted, and its record says what became of it."""
    topic = place.kafka.create_topic(1, {"max.message.bytes": "2000"}, prefix="post")
    place.write(post_processing={"topic": topic})
    ids = place.publish_events(20)
    place.publish(make_payload(id="large", properties={"a": "x" * 5000}))
    with place.service("--once") as service:
        code = service.wait()
    assert code == 3, service.lines
    (record,) = read_records(place.kafka.bootstrap_servers, place.dlq, 1)

    assert place.ids() == sorted([*ids, "large"])
    assert b"stored, but not handed to post-processing" in dict(record.headers())["reason_poisoned"]
    assert len(read_records(place.kafka.bootstrap_servers, topic, 20)) == 20
    assert "post_process_errors=1" in service.said("ended")[0]


def test_billing_rows_come_with_their_events_and_replace_themselves(place):
    """One for each event, in the same INSERT; read from the beginning by another group, each row is the same row."""
    billing = {"tenant_id": "biller", "environment_id": "prod"}
    place.write(billing=billing)
    ids = place.publish_events(50)
    codes = []
    for group in ("one", "two"):
        place.write(billing=billing, event_processing={"consumer_group": f"{place.group}-{group}"})
        with place.service("--once") as service:
            codes.append(service.wait())
    rows = place.ids()

    assert codes == [0, 0], service.lines
    assert [each for each in rows if each.startswith("event-")] == sorted(ids * 2)
    assert len(rows) == 4 * len(ids)
    assert len(set(rows)) == 2 * len(ids)


def test_a_store_that_is_not_there_yet_is_waited_for(place):
    """Started before its store, it says once that it waits, and goes on by itself."""
    place.write(clickhouse={"dsn": "http://127.0.0.1:1/x"})
    with place.service() as service:
        service.wait_for("store down: waiting for it")
        assert service.process.poll() is None
        assert len(service.said("store down")) == 1
        assert service.end() == 0, "a signal meanwhile is the first one, which ends it in order"
        assert service.said("ended by a signal before anything was consumed")


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        pytest.param(
            {"event_processing": {"topic_dlq": "nowhere-dlq"}},
            "event_processing.topic_dlq: there is no topic",
            id="poison topic",
        ),
        pytest.param(
            {"post_processing": {"topic": "nowhere"}},
            "post_processing.topic: there is no topic",
            id="post-processing topic",
        ),
        pytest.param({"event_processing": {"topic": "nowhere"}}, "nowhere", id="topic"),
        pytest.param({"event_processing": {"enabled": False}}, "no lane is enabled", id="no lane"),
        pytest.param({"clickhouse": {"table": "nowhere"}}, "millstream migrate", id="table"),
    ],
)
def test_what_is_missing_ends_the_start_with_one_line(place, sections, told):
    """Exit code 2 and what to do, before anything is consumed."""
    place.write(**sections)
    done = run("run", cwd=place.folder)

    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.decode().splitlines() if line.startswith("millstream:")]
    assert told in line


def test_a_bad_event_of_a_bulk_message_is_set_aside_alone(place):
    """Its neighbours are stored once, the record is a batch of it alone that can be sent again, and the exit code is 3."""
    bulk = place.kafka.create_topic(2, prefix="bulk")
    lane = {"enabled": True, "topic": bulk, "consumer_group": f"{bulk}-group", "topic_dlq": place.dlq}
    place.write(event_processing={"enabled": False}, bulk_event_consumption=lane)
    good = [make_payload(id=f"event-{number}") for number in range(150)]
    bad, single = make_payload(id=""), make_payload(id="single")
    place.publish(make_batch(*good[:100], bad, *good[100:]), make_batch(*good[:1]), single, topic=bulk)
    with place.service("--once") as service:
        code = service.wait()
    records = {
        record.value(): dict(record.headers()) for record in read_records(place.kafka.bootstrap_servers, place.dlq, 2)
    }

    assert code == 3, service.lines
    assert place.ids() == sorted([*(f"event-{number}" for number in range(150)), "event-0"])
    assert set(records) == {make_batch(bad), single}
    assert records[make_batch(bad)]["reason_poisoned"] == b"part 100: id: empty"
    assert b"single event" in records[single]["reason_poisoned"]
    assert sum(place.kafka.committed(f"{bulk}-group", bulk).values()) == 3


def test_events_that_are_published_in_bulk_are_stored_once(place, monkeypatch):
    """What `EventPublisher` writes, used as docs/events.md shows, is what the bulk lane of the same settings reads."""
    bulk = place.kafka.create_topic(2, prefix="bulk")
    place.write(
        kafka={"bulk_max_batch_size": 50},
        event_processing={"enabled": False},
        bulk_event_consumption={"enabled": True, "topic": bulk, "consumer_group": f"{bulk}-g", "topic_dlq": "none"},
    )
    events = [event(f"event-{number}", f"tenant-{number % 3}") for number in range(600)]
    monkeypatch.chdir(place.folder)
    exec(re.search(r"```python\n(.*?)```", EVENTS_PAGE.read_text(), re.DOTALL)[1], {"events": events})
    with place.service("--once") as service:
        code = service.wait()

    assert code == 0, service.lines
    assert place.ids() == sorted(each.id for each in events)
    assert sum(place.kafka.committed(f"{bulk}-g", bulk).values()) == 12
