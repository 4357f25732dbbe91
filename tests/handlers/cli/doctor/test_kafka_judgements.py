"""What `doctor` makes of what brokers tell: topics, groups, lag, protocols."""

import pytest

from millstream.handlers.cli.doctor.findings import Level
from millstream.handlers.cli.doctor.groups import judge_group, judge_lag, judge_protocol
from millstream.handlers.cli.doctor.set_aside import LOOK, judge_waiting
from millstream.handlers.cli.doctor.topics import NeededTopic, judge_topic, needed_topics, poison_choices
from millstream.handlers.events import LaneConfig
from millstream.handlers.settings.kafka import KafkaConfig
from millstream.handlers.settings.sections import PostProcessingConfig, Settings
from millstream.router import ConfigurationError, KafkaSubscriberConfig
from millstream.router.kafka.inspection import GroupFacts, TopicFacts

DLQ = NeededTopic("event_processing.topic_dlq", "dlq", "WRITE", ", or set it to 'none' or 'drop'")


def ours(**fields: object) -> KafkaSubscriberConfig:
    """Give the settings of our member."""
    return KafkaSubscriberConfig(brokers=["b:1"], group_id="g", **fields)  # type: ignore[arg-type] # such as are given


@pytest.mark.parametrize(
    ("facts", "level", "text"),
    [
        pytest.param(
            None,
            Level.FAILURE,
            "millstream migrate --topics --brokers b:1, or set it to 'none' or 'drop'",
            id="missing",
        ),
        pytest.param(ConfigurationError("no right"), Level.FAILURE, "no right", id="not shown"),
        pytest.param(TopicFacts(4, 3), Level.FAILURE, "3 of 4 partitions have no leader", id="without leaders"),
        pytest.param(TopicFacts(4, 0, frozenset({"READ"})), Level.FAILURE, "may not WRITE it", id="without the right"),
        pytest.param(TopicFacts(1, 0, frozenset({"WRITE"})), Level.OK, "1 partition", id="well"),
        pytest.param(TopicFacts(4), Level.OK, "4 partitions", id="well, as far as we are told"),
    ],
)
def test_what_is_wrong_with_a_topic_is_told(facts: object, level: Level, text: str) -> None:
    """Expect the level, and what to do."""
    found = judge_topic(DLQ, facts, "b:1")  # type: ignore[arg-type] # one of those

    assert found.subject == "topic dlq (event_processing.topic_dlq)"
    assert found.level is level
    assert found.text.endswith(text) or text in found.text


def test_the_topics_are_those_of_the_enabled_lanes_and_of_what_is_written() -> None:
    """Expect what is read, what takes poison and what is published to, each by its setting; no topic where a word stands."""
    lane = LaneConfig(topic="events", consumer_group="g", topic_dlq="drop")
    settings = Settings(
        event_processing=lane,
        post_processing=PostProcessingConfig(topic="stored"),
        kafka=KafkaConfig(topic_bulk="bulk"),
    )
    found = [(each.setting, each.topic, each.right) for each in needed_topics(settings)]

    assert found == [
        ("event_processing.topic", "events", "READ"),
        ("event_processing_lazy.topic", "events_lazy", "READ"),
        ("event_processing_lazy.topic_dlq", "event_processing_lazy_dlq", "WRITE"),
        ("post_processing.topic", "stored", "WRITE"),
        ("kafka.topic_bulk", "bulk", "WRITE"),
    ]
    assert [each.line for each in poison_choices(settings)] == [
        "ok   poison of event_processing: 'drop', which needs no topic"
    ]


@pytest.mark.parametrize(
    ("config", "facts", "level", "text"),
    [
        pytest.param({}, GroupFacts("classic"), Level.OK, "no members; ours come with classic, range", id="empty"),
        pytest.param({}, GroupFacts("consumer"), Level.OK, "no members", id="empty, of the other protocol"),
        pytest.param(
            {}, GroupFacts("classic", "range", 2), Level.OK, "2 members with classic, range, as ours", id="same"
        ),
        pytest.param({}, GroupFacts("classic", "", 1), Level.OK, "classic, coming together", id="coming together"),
        pytest.param(
            {"assignment_strategy": "cooperative-sticky"},
            GroupFacts("classic", "range", 1),
            Level.FAILURE,
            "set kafka.assignment_strategy = 'range', or stop them all before ours start",
            id="another strategy",
        ),
        pytest.param(
            {"group_protocol": "consumer"},
            GroupFacts("classic", "range", 1),
            Level.WARNING,
            "set kafka.group_protocol = 'classic'",
            id="another protocol",
        ),
        pytest.param(
            {"group_protocol": "consumer"}, GroupFacts("consumer", "uniform", 1), Level.OK, "as ours", id="the new one"
        ),
        pytest.param(
            {}, GroupFacts("classic", rights=frozenset({"DELETE"})), Level.FAILURE, "may not READ", id="no right"
        ),
    ],
)
def test_what_a_live_group_makes_of_us_is_told(
    config: dict[str, str], facts: GroupFacts, level: Level, text: str
) -> None:
    """Expect a failure where the brokers would refuse us, a warning where it hangs on them."""
    found = judge_group("event_processing", ours(**config), facts, None)

    assert found.level is level
    assert text in found.text


def test_a_member_of_our_name_is_told() -> None:
    """Expect a static member that is there to be named: a second one would fence it."""
    facts = GroupFacts("classic", "range", 1, frozenset({"pod-0-x"}))

    assert "pod-0-x is one of them" in judge_group("lane", ours(), facts, "pod-0-x").text
    assert "pod-0-x" not in judge_group("lane", ours(), facts, "pod-1-x").text


@pytest.mark.parametrize(
    ("lag", "has_members", "level"), [(0, False, Level.OK), (9, True, Level.OK), (9, False, Level.WARNING)]
)
def test_a_lag_that_nobody_works_on_is_told(lag: int, has_members: bool, level: Level) -> None:
    """Expect a warning only where messages wait and nobody is there."""
    found = judge_lag("lane", lag, has_committed=True, has_members=has_members, has_set_aside=False)

    assert found.level is level
    assert found.text.startswith(f"{lag} messages behind")


def test_one_message_is_not_called_messages() -> None:
    """Expect a number of one to be told as one."""
    found = judge_lag("lane", 1, has_committed=True, has_members=True, has_set_aside=False)

    assert found.text == "1 message behind"


def test_a_lane_that_may_have_halted_is_not_to_be_started_first() -> None:
    """Expect what is set aside to be named where nobody consumes: each start sets as much aside again."""
    found = judge_lag("lane", 9, has_committed=True, has_members=False, has_set_aside=True)

    assert found.text.endswith("nobody consumes: mend first what is set aside, then start millstream run")


@pytest.mark.parametrize(
    ("waiting", "line"),
    [
        (0, "ok   set aside in dlq: nothing waits"),
        (1, f"warn set aside in dlq: 1 record waits: {LOOK}"),
        (1000, f"warn set aside in dlq: 1,000 records wait: {LOOK}"),
    ],
)
def test_what_no_replay_has_sent_back_is_a_warning(waiting: int, line: str) -> None:
    """Expect the number, and what to do."""
    assert judge_waiting("dlq", waiting).line == line


def test_brokers_without_the_new_protocol_are_too_old_for_it() -> None:
    """Expect no word where they have the one that is wanted."""
    found = judge_protocol("consumer", frozenset({"classic"}))

    assert found is not None
    assert found.level is Level.FAILURE
    assert judge_protocol("consumer", frozenset({"classic", "consumer"})) is None
