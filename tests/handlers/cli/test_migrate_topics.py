"""Which topics `millstream migrate --topics` is about: decided from the settings alone."""

import msgspec
import pytest

from millstream.handlers.cli.migrate_topics import TopicOptions, wanted_topics
from millstream.handlers.events import BULK, LAZY, REGULAR, REPLAY
from millstream.handlers.settings.sections import PostProcessingConfig, Settings
from millstream.router import ConfigurationError

NONE = TopicOptions()


def wanted(settings, options=NONE):
    """Return the wanted topics by name."""
    return {each.topic: each for each in wanted_topics(settings, [], options)}


def changed(lane, **fields):
    """Return *lane* with other fields."""
    return msgspec.structs.replace(lane, **fields)


def test_topics_and_dlqs_of_the_enabled_lanes_are_wanted():
    """Expect those of a lane that is not enabled to be left out."""
    regular = {each.topic: each.partitions for each in wanted(Settings()).values()}
    bulk = wanted(Settings(bulk_event_consumption=changed(BULK, enabled=True)))

    assert regular == {"events": 6, "events_lazy": 6, "event_processing_dlq": 3, "event_processing_lazy_dlq": 3}
    assert {BULK.topic, BULK.topic_dlq} <= set(bulk)


@pytest.mark.parametrize("choice", ["halt", "none", "drop", "redeliver"])
def test_a_dlq_that_is_no_topic_is_not_made(choice):
    """Expect the words that `topic_dlq` may be in place of a topic to name none."""
    settings = Settings(
        event_processing=changed(REGULAR, topic_dlq=choice), event_processing_lazy=changed(LAZY, enabled=False)
    )

    assert list(wanted(settings)) == ["events"]


def test_the_topic_of_post_processing_is_wanted():
    """Expect it to have as many partitions as those that lanes read."""
    settings = Settings(post_processing=PostProcessingConfig(topic="stored"))

    assert wanted(settings)["stored"].partitions == 6


def test_a_topic_that_lanes_share_is_wanted_once():
    """Expect one that is a DLQ and read by a lane to be treated as one that is read."""
    settings = Settings(
        event_processing=changed(REGULAR, topic_dlq="again"),
        event_processing_lazy=changed(LAZY, topic_dlq="again"),
        event_processing_replay=changed(REPLAY, enabled=True, topic="again", topic_dlq="drop"),
    )
    topics = wanted_topics(settings, [], TopicOptions(partitions=2, dlq_partitions=1, dlq_retention_days=30))

    assert [(each.topic, each.partitions, dict(each.settings)) for each in topics] == [
        ("events", 2, {}),
        ("events_lazy", 2, {}),
        ("again", 2, {}),
    ]


def test_only_what_was_given_raises_partitions():
    """Expect the defaults to be those of new topics alone."""
    both = wanted(Settings(), TopicOptions(partitions=8))

    assert (both["events"].partitions, both["events"].grows) == (8, True)
    assert (both["event_processing_dlq"].partitions, both["event_processing_dlq"].grows) == (3, False)


def test_copies_are_for_all_and_the_retention_for_dlqs():
    """Expect days as milliseconds."""
    topics = wanted(Settings(), TopicOptions(replication_factor=3, dlq_retention_days=30))

    assert {each.replication_factor for each in topics.values()} == {3}
    assert topics["events"].settings == {}
    assert topics["event_processing_dlq"].settings == {"retention.ms": "2592000000"}


def test_no_enabled_lane_is_said():
    """Expect the error to say what to set."""
    settings = Settings(
        event_processing=changed(REGULAR, enabled=False), event_processing_lazy=changed(LAZY, enabled=False)
    )

    with pytest.raises(ConfigurationError, match="no lane is enabled"):
        wanted_topics(settings, [], NONE)
