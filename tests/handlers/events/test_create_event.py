"""Times that Python can hold and JSON cannot say: an event made of one is exact, or it is refused."""

import json
from datetime import UTC, datetime, time, timedelta, timezone

import msgspec
import pytest

from millstream.handlers.events import EventPublisher, InvalidEvent, canonical_line, create_event, decode_event
from millstream.handlers.events.create import EventFields
from millstream.router.testing import RecordingPublisher

ZONES = [
    pytest.param(timezone(timedelta(hours=5, minutes=30, seconds=15)), id="+05:30:15"),
    pytest.param(timezone(timedelta(seconds=-15)), id="-00:00:15"),
    pytest.param(timezone(timedelta(hours=1, microseconds=250_000)), id="a quarter of a second"),
]


def made_at(timestamp: datetime) -> EventFields:
    """Give the fields of an event at that time."""
    return EventFields(id="e", tenant_id="t", environment_id="p", event_name="n", timestamp=timestamp, customer_id="c")


@pytest.mark.parametrize("zone", ZONES)
def test_an_offset_with_seconds_keeps_the_instant(zone: timezone) -> None:
    """RFC 3339 has no seconds in an offset: the time is brought to UTC, in the event, its line and its properties."""
    timestamp = datetime(2026, 11, 23, 10, 0, 0, 123000, tzinfo=zone)
    event = create_event({"since": timestamp, "all": [timestamp]}, **made_at(timestamp))
    properties = json.loads(bytes(event.properties))

    assert event.timestamp == timestamp
    assert decode_event(canonical_line(event)).timestamp == timestamp
    assert [datetime.fromisoformat(text) for text in (properties["since"], *properties["all"])] == [timestamp] * 2


@pytest.mark.parametrize("zone", ZONES)
def test_an_event_is_published_at_its_instant(zone: timezone) -> None:
    """An event whose time was set by hand is sent with the same point in time."""
    timestamp = datetime(2026, 11, 23, 10, tzinfo=zone)
    event = msgspec.structs.replace(create_event(**made_at(datetime(2026, 1, 1, tzinfo=UTC))), timestamp=timestamp)
    publisher = RecordingPublisher()
    EventPublisher(publisher).publish(event)

    assert [decode_event(each.payload).timestamp for each in publisher.messages("events")] == [timestamp]


def test_whole_minutes_stay_as_they_are() -> None:
    """An ordinary offset is kept, and a time in the properties is written with it."""
    timestamp = datetime(2026, 11, 23, 10, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    event = create_event({"since": timestamp, "naive": datetime(2026, 1, 1)}, **made_at(timestamp))

    assert event.timestamp.utcoffset() == timestamp.utcoffset()
    assert json.loads(bytes(event.properties)) == {
        "since": "2026-11-23T10:00:00+05:30",
        "naive": "2026-01-01T00:00:00",
    }


@pytest.mark.parametrize(
    ("timestamp", "properties", "text"),
    [
        pytest.param(
            datetime.min.replace(tzinfo=timezone(timedelta(seconds=1))), {}, "timestamp: outside 1970", id="year 0"
        ),
        pytest.param(
            datetime(2026, 1, 1, tzinfo=UTC),
            {"since": datetime.max.replace(tzinfo=timezone(timedelta(seconds=-1)))},
            "cannot be written as JSON",
            id="year 10000 in the properties",
        ),
        pytest.param(
            datetime(2026, 1, 1, tzinfo=UTC),
            {"at": time(10, tzinfo=timezone(timedelta(seconds=1)))},
            "cannot be written as JSON: a time of day whose offset has seconds",
            id="a time of day",
        ),
    ],
)
def test_what_cannot_be_exact_is_refused(timestamp: datetime, properties: dict[str, object], text: str) -> None:
    """A time that no JSON can say is an error, never another time."""
    with pytest.raises(InvalidEvent, match=text):
        create_event(properties, **made_at(timestamp))
