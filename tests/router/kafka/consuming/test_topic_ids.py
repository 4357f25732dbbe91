"""Asking for the id of a topic, where brokers do not tell it; `test_positions_real.py` has those that do."""

import pytest

from millstream.router.kafka import KafkaSubscriberConfig
from millstream.router.kafka.consuming.topic_ids import TopicIds

pytestmark = pytest.mark.slow  # it takes its time to give up


def test_brokers_that_tell_no_id_are_no_error(mock_cluster):
    """How many partitions there are is told all the same."""
    mock_cluster.create_topic("events", 3)
    ids = TopicIds("events", KafkaSubscriberConfig(brokers=[mock_cluster.bootstrap_servers], group_id="g"))
    told = ids.count(), ids.topic_id()
    ids.close()

    assert told == (3, "")
    assert ids.topic_id() == ""


def test_brokers_that_do_not_answer_are_no_error(mock_cluster):
    """Whoever reads the topic says what is wrong."""
    mock_cluster.create_topic("events", 3)
    mock_cluster.set_down()
    ids = TopicIds("events", KafkaSubscriberConfig(brokers=[mock_cluster.bootstrap_servers], group_id="g"))
    in_outage = ids.count(), ids.topic_id()
    mock_cluster.set_up()

    assert in_outage == (0, "")
    assert ids.count() == 3
