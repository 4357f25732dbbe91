"""Static members, a topic that is deleted under its consumer, and a stranger, on a real broker."""

import pytest
from confluent_kafka import Producer

from millstream.router import ConfigurationError, Router
from millstream.router.kafka import KafkaSasl, KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.testing import RecordingHandler, eventually
from tests.router.kafka.real_kafka import USER

PARTITIONS = 4
TIMEOUT = 40.0
PROTOCOLS = [
    pytest.param({"session_timeout": 30.0, "heartbeat_interval": 0.5}, id="classic"),
    pytest.param({"group_protocol": "consumer"}, id="KIP-848"),
]


class Member:
    """A subscription and what its listener was told."""

    def __init__(self, kafka, topic, options):
        self.told = []
        config = KafkaSubscriberConfig(brokers=[kafka.bootstrap_servers], group_id=topic, **options)
        self._subscriber = KafkaSubscriber(config)
        self._subscriber.subscribe(topic, self)

    def assigned(self, assignments):
        """Note what came."""
        self.told.append(("assigned", {each.partition for each in assignments}))

    def revoked(self, assignments, deadline):
        """Note what goes."""
        self.told.append(("revoked", {each.partition for each in assignments}))

    def lost(self, assignments):
        """Note what has gone."""
        self.told.append(("lost", {each.partition for each in assignments}))

    @property
    def partitions(self):
        """The partitions that it has."""
        found = set()
        for what, some in self.told:
            found = found | some if what == "assigned" else found - some
        return found

    def close(self):
        """Leave, which a static member does without a word to the group."""
        self._subscriber.close()


@pytest.mark.parametrize("options", PROTOCOLS)
def test_static_member_that_is_soon_back_gets_its_partitions_and_disturbs_nobody(real_kafka, options):
    """The other member is told nothing of the restart."""
    topic = real_kafka.create_topic(PARTITIONS)
    one, other = (Member(real_kafka, topic, {**options, "group_instance_id": name}) for name in ("one", "other"))
    assert eventually(lambda: len(one.partitions) == len(other.partitions) == PARTITIONS // 2, TIMEOUT)
    before, told = one.partitions, list(other.told)
    one.close()
    again = Member(real_kafka, topic, {**options, "group_instance_id": "one"})
    came_back = eventually(lambda: again.partitions == before, TIMEOUT)
    now = list(other.told)
    again.close()
    other.close()

    assert came_back, again.told
    assert now == told


@pytest.mark.parametrize("options", PROTOCOLS)
def test_topic_that_is_deleted_under_its_consumer_ends_the_router_with_its_name(real_kafka, options):
    """Not silent: the error says which topic is gone and what creates it."""
    topic, handler, router = real_kafka.create_topic(PARTITIONS), RecordingHandler(), Router()
    producer = Producer({"bootstrap.servers": real_kafka.bootstrap_servers})
    producer.produce(topic, b"x")
    producer.flush(20)
    config = KafkaSubscriberConfig(brokers=[real_kafka.bootstrap_servers], group_id=topic, **options)
    router.add_consumer_handler("h", topic, KafkaSubscriber(config), handler)
    router.start()
    assert handler.wait_calls(1, timeout=TIMEOUT)
    real_kafka.delete_topic(topic)

    with pytest.raises(ConfigurationError, match=f"{topic}.*--create"):
        router.wait_closed(TIMEOUT)


def test_wrong_password_is_one_line_without_it(own_kafka):
    """Who is refused at the start hears where, and what to mend."""
    router = Router()
    sasl = KafkaSasl(mechanism="PLAIN", username=USER, password="wrong-secret")
    config = KafkaSubscriberConfig(brokers=[own_kafka.addresses["SASL_PLAINTEXT"]], group_id="stranger", sasl=sasl)
    router.add_consumer_handler("h", "any", KafkaSubscriber(config), lambda message: None)
    router.start()
    with pytest.raises(ConfigurationError, match="mend tls or sasl") as caught:
        router.wait_closed(TIMEOUT)

    assert "\n" not in str(caught.value)
    assert "wrong-secret" not in str(caught.value)
