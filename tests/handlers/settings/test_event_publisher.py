"""What publishes events, made of the settings."""

from millstream.handlers.events import decode_event_batch
from millstream.handlers.settings import load_settings
from millstream.router.testing import RecordingPublisher
from tests.handlers.events.publisher_aids import event

SETTINGS = """
[kafka]
route_tenants_on_lazy_mode = ["bulky", "slow"]
bulk_max_batch_size = 2

[event_processing]
topic = "one"

[event_processing_lazy]
topic = "two"

[bulk_event_consumption]
topic = "three"
"""


def published(tmp_path, text, environ=None):
    """Return the topics that three single events and three bulk events go to, and the sizes of the bulk messages."""
    path = tmp_path / "settings.toml"
    path.write_text(text)
    sender = RecordingPublisher()
    publisher = load_settings(path, environ or {}).event_publisher(sender)
    publisher.publish(event("a"), event("b", "slow"), event("c", "bulky"))
    singles = {each.uuid: topic for topic, messages in sender.calls for each in messages}
    publisher.publish_bulk(*(event(str(number), "slow") for number in range(3)))
    topic, messages = sender.calls[-1]
    return singles, topic, [len(decode_event_batch(each.payload).events) for each in messages]


def test_the_topics_are_those_of_the_lanes(tmp_path):
    """Each event goes where a lane of the same settings takes it from."""
    assert published(tmp_path, SETTINGS) == ({"a": "one", "b": "two", "c": "two"}, "three", [2, 1])


def test_topics_of_the_section_win(tmp_path):
    """A program that publishes for other lanes than those of its settings says so in one place; also by variables."""
    environ = {
        "MILLSTREAM_KAFKA__TOPIC": "4",
        "MILLSTREAM_KAFKA__TOPIC_LAZY": "5",
        "MILLSTREAM_KAFKA__TOPIC_BULK": "6",
        "MILLSTREAM_KAFKA__ROUTE_TENANTS_ON_LAZY_MODE": "slow, other",
        "MILLSTREAM_KAFKA__BULK_MAX_BATCH_SIZE": "1",
    }

    assert published(tmp_path, SETTINGS, environ) == ({"a": "4", "b": "5", "c": "4"}, "6", [1, 1, 1])


def test_without_settings_they_are_the_original_s(tmp_path):
    """200 events and 512 KiB in a bulk message; no tenant is lazy."""
    path = tmp_path / "settings.toml"
    path.write_text("")
    sender = RecordingPublisher()
    large = event("large", properties={"text": "x" * 300 * 1024})
    load_settings(path, {}).event_publisher(sender).publish_bulk(*[event("e")] * 201, large, large)

    assert [(topic, len(messages)) for topic, messages in sender.calls] == [("staging_events_bulk", 3)]
    assert [int(each.metadata["batch_size"]) for each in sender.messages()] == [200, 2, 1]


def test_a_bulk_message_is_no_larger_than_what_is_published(tmp_path):
    """Where only the limit of the publisher was lowered, half of it is the limit of a bulk message."""
    path = tmp_path / "settings.toml"
    path.write_text("[kafka]\nmax_message_bytes = 2000")
    sender = RecordingPublisher()
    load_settings(path, {}).event_publisher(sender).publish_bulk(*(event(f"event-{number}") for number in range(20)))

    assert len(sender.messages()) > 2
    assert all(len(each.payload) <= 1000 for each in sender.messages())
