"""Looking at topics and bringing them to what is wanted. Mock brokers make none, so most of it needs a real one."""

import pytest

from millstream.router import ConfigurationError, TransientError
from millstream.router.kafka import KafkaPublisherConfig, KafkaSasl
from millstream.router.kafka.topic_plan import TopicWanted, plan_topic
from millstream.router.kafka.topic_setup import TopicSetup
from tests.router.kafka.real_kafka import USER, OwnKafka, RealKafka, unique

pytestmark = pytest.mark.slow  # brokers to talk to: tenths of a second each


def setup_for(address: str, **fields) -> TopicSetup:
    """Return what sets topics up on the brokers at *address*."""
    return TopicSetup(KafkaPublisherConfig(brokers=address.split(","), **fields), look_seconds=30.0)


def test_absent_brokers_are_a_transient_error() -> None:
    """Expect the topic and the address in the error; nobody listens on port 1."""
    setup = TopicSetup(KafkaPublisherConfig(brokers=["127.0.0.1:1"]), look_seconds=0.1, bring_seconds=0.2)
    wanted = TopicWanted(topic="events", partitions=6)

    with pytest.raises(TransientError, match=r"topic 'events' cannot be looked at on 127\.0\.0\.1:1"):
        setup.look("events")
    with pytest.raises(TransientError, match="topic 'events' cannot be created"):
        setup.bring(wanted, plan_topic(None, wanted), only_check=True)


def test_a_name_that_is_none_is_refused() -> None:
    """Expect it not to reach the brokers."""
    with pytest.raises(ConfigurationError, match="name of a Kafka topic"):
        TopicSetup(KafkaPublisherConfig(brokers=["127.0.0.1:1"])).look("^events")


@pytest.mark.slow
def test_topics_are_made_and_grow_as_planned(real_kafka: RealKafka) -> None:
    """Expect a check to change nothing, what is made to be as wanted, and the same again to be nothing."""
    setup, name = setup_for(real_kafka.bootstrap_servers), unique("set-up")
    small = TopicWanted(topic=name, partitions=2, grows=True, settings={"retention.ms": "3600000"})
    large = TopicWanted(topic=name, partitions=5, grows=True)
    seen = []
    for wanted in (small, large, small):
        before = setup.look(name)
        plan = plan_topic(before, wanted)
        setup.bring(wanted, plan, only_check=True)
        seen.append(setup.look(name) == before)
        setup.bring(wanted, plan)
        found = setup.look(name)
        assert found is not None
        seen.append((found.partitions, found.replicas, (found.settings or {})["retention.ms"]))

    assert seen == [True, (2, 1, "3600000"), True, (5, 1, "3600000"), True, (5, 1, "3600000")]


@pytest.mark.slow
@pytest.mark.parametrize("only_check", [True, False], ids=["checked", "done"])
def test_more_copies_than_brokers_are_refused(real_kafka: RealKafka, only_check: bool) -> None:
    """Expect a check to say what a run would, with the topic and the reason; nothing is made."""
    setup, name = setup_for(real_kafka.bootstrap_servers), unique("set-up")
    wanted = TopicWanted(topic=name, partitions=1, replication_factor=100)

    with pytest.raises(ConfigurationError, match=f"topic '{name}' cannot be created .*[Rr]eplication"):
        setup.bring(wanted, plan_topic(None, wanted), only_check=only_check)
    assert setup.look(name) is None


def test_refused_credentials_end_the_look(own_kafka: OwnKafka) -> None:
    """Expect the reason at once, without the password."""
    sasl = KafkaSasl(mechanism="SCRAM-SHA-256", username=USER, password="not-the-secret")
    setup = setup_for(own_kafka.addresses["SASL_PLAINTEXT"], sasl=sasl)

    with pytest.raises(ConfigurationError, match="refused us") as raised:
        setup.look("events")
    assert "not-the-secret" not in str(raised.value)
