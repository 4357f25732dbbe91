"""Connections to a broker over which nothing comes any more, though nobody has closed them."""

import pytest

from millstream.router import Message, Router
from millstream.router.kafka import KafkaPublisher, KafkaPublisherConfig, KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.testing import RecordingHandler, eventually, running
from tests.router.kafka.broker_proxy import BrokerProxy
from tests.router.kafka.mock_cluster import MockCluster
from tests.router.kafka.mock_cluster_clients import committed, open_consumer

pytestmark = pytest.mark.slow  # requests have to time out: seconds, not milliseconds

TIMEOUT = 90.0
HALF = 50
GIVEN_UP = {"socket.timeout.ms": 2_000}
"""After which a request without an answer fails, and its connection is closed; a minute by default."""


@pytest.fixture
def broker():
    """One mock broker, with a topic called `events`."""
    cluster = MockCluster(1)
    cluster.set_group_times(session=6.0, heartbeat=0.5)
    cluster.create_topic("events")
    yield cluster
    cluster.close()


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_connections_that_swallow_everything_are_given_up(broker, protocol):
    """Publisher and subscriber connect anew by themselves: every message is handled and committed, and nothing ends."""
    proxy = BrokerProxy(broker.bootstrap_servers)
    brokers, seen = [proxy.bootstrap_servers], RecordingHandler()
    times = {"session_timeout": 6.0, "heartbeat_interval": 0.5} if protocol == "classic" else {}
    publisher = KafkaPublisher(KafkaPublisherConfig(brokers=brokers, properties=GIVEN_UP))
    config = KafkaSubscriberConfig(
        brokers=brokers, group_id="g", group_protocol=protocol, commit_interval=0.1, properties=GIVEN_UP, **times
    )
    router = Router()
    router.add_consumer_handler("h", "events", KafkaSubscriber(config), seen)
    first, second = ([Message(b"%d" % number) for number in range(start, start + HALF)] for start in (0, HALF))

    with open_consumer(broker.bootstrap_servers, group_id="g") as asking, running(router):
        publisher.publish("events", *first)
        assert eventually(lambda: committed(asking, "events") == HALF, TIMEOUT)
        proxy.swallow()
        publisher.publish("events", *second)
        assert eventually(lambda: committed(asking, "events") >= 2 * HALF, TIMEOUT)
        is_running = router.is_running
    publisher.close()
    proxy.close()

    assert is_running
    assert {message.payload for message in seen.messages} == {b"%d" % number for number in range(2 * HALF)}
