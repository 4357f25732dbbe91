"""What becomes of a topic that is to be there: decided from values alone."""

import pytest

from millstream.router.kafka.topic_plan import TopicFound, TopicWanted, plan_topic

PLAIN = {"cleanup.policy": "delete", "retention.ms": "604800000"}


def found(partitions=4, replicas=1, settings=PLAIN):
    """Return a topic that is there."""
    return TopicFound(partitions, replicas, settings)


def wanted(**changes):
    """Return what is wanted: six partitions."""
    return TopicWanted(**{"topic": "events", "partitions": 6} | changes)


def test_a_missing_topic_is_made():
    """Expect what it is made with in the line, as far as it was asked for."""
    plain = plan_topic(None, wanted())
    full = plan_topic(None, wanted(partitions=1, replication_factor=3, settings={"retention.ms": "1000"}))

    assert (plain.text, plain.partitions, plain.is_new) == ("created with 6 partitions", 6, True)
    assert full.text == "created with 1 partition, replication factor 3, retention.ms = 1000"


def test_a_topic_that_is_there_is_left_where_nothing_was_asked_for():
    """Expect the default for new topics to move no keys of one that is there."""
    plan = plan_topic(found(4), wanted())

    assert (plan.text, plan.partitions, plan.drift) == ("was there, with 4 partitions", None, ())


def test_partitions_grow_where_that_was_asked_for():
    """Expect the line to say what that does to the order of a key."""
    plan = plan_topic(found(4), wanted(grows=True))

    assert (plan.partitions, plan.is_new) == (6, False)
    assert plan.text.startswith("partitions raised from 4 to 6: a key may move")


def test_partitions_never_shrink():
    """Expect a topic with more to be left, and that to be said."""
    plan = plan_topic(found(9), wanted(grows=True))

    assert plan.partitions is None
    assert plan.drift == ("it has 9 partitions, more than 6: left as it is, as none can be taken away",)


def test_what_was_done_is_not_done_again():
    """Expect a second run to change nothing."""
    assert plan_topic(found(6), wanted(grows=True)).partitions is None


@pytest.mark.parametrize(
    ("there", "asked", "words"),
    [
        pytest.param({}, {"replication_factor": 3}, "its replication factor is 1, not 3", id="copies"),
        pytest.param({}, {"settings": {"retention.ms": "5"}}, "its retention.ms is 604800000, not 5", id="retention"),
        pytest.param(
            {"settings": {"cleanup.policy": "compact,delete"}},
            {},
            "its cleanup.policy is compact,delete",
            id="compacted",
        ),
        pytest.param({"settings": None}, {"settings": {"retention.ms": "5"}}, "not looked at", id="no right to look"),
    ],
)
def test_other_differences_are_named(there, asked, words):
    """Expect a line each, and nothing to be done."""
    plan = plan_topic(found(**there), wanted(**asked))

    assert plan.partitions is None
    assert [words in line for line in plan.drift] == [True]
