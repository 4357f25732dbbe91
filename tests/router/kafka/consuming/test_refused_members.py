"""Static members whose earlier self the group has not given up yet, on consumers that a test plays."""

import pytest
from confluent_kafka import KafkaError
from confluent_kafka import Message as Record

from millstream.router import ConfigurationError
from millstream.router.kafka import KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.kafka.consuming import subscription
from millstream.router.testing import eventually
from tests.router.kafka.scripted_consumer import TOPIC, Listener, ScriptedConsumer, record

REFUSAL = f"Fatal error: {KafkaError(KafkaError.UNRELEASED_INSTANCE_ID).str()}: ConsumerGroupHeartbeat"
SAID = "WARNING the group has a member of this instance id already"
CONFIG = KafkaSubscriberConfig(
    brokers=["127.0.0.1:1"], group_id="g", group_protocol="consumer", group_instance_id="pod-0"
)


class Clients:
    """What opens consumers: the first so many are refused, each later one is given partition 0."""

    def __init__(self, refusals):
        self.opened = []
        self.refusals = refusals
        self.cannot_open = set()
        """Which of the openings fail, by number."""
        self.tried = 0

    def __call__(self, config, on_error, on_statistics=None):
        """Open one."""
        self.tried += 1
        if self.tried in self.cannot_open:
            raise ConfigurationError("no token yet")
        consumer = ScriptedConsumer()
        if len(self.opened) < self.refusals:
            consumer.give(Record(topic=TOPIC, error=KafkaError(KafkaError._FATAL, REFUSAL)))
        else:
            consumer.call("assign", 0)
        self.opened.append(consumer)
        return consumer


class NoIds:
    """Tells nothing of the topic, at once."""

    def __init__(self, topic, config):
        pass

    def count(self):
        """Nobody knows."""
        return 0

    def close(self):
        """There is no client."""


@pytest.fixture
def subscribe(monkeypatch):
    """Return a function that subscribes with *clients*; the subscription is closed at the end."""
    made = []

    def subscribed(clients, listener):
        monkeypatch.setattr(subscription, "_open_consumer", clients)
        monkeypatch.setattr(subscription, "TopicIds", NoIds)
        subscriber = KafkaSubscriber(CONFIG)
        made.append(subscriber)
        return subscriber.subscribe(TOPIC, listener)

    yield subscribed
    for each in made:
        each.close()


@pytest.fixture
def impatient(monkeypatch):
    """Do not wait between two clients."""
    monkeypatch.setattr(subscription, "RELEASE_SECONDS", 0.0)


@pytest.mark.usefixtures("impatient")
def test_a_refused_member_asks_again_until_it_is_taken_in(subscribe, log_lines):
    """Each time with a new client, as one that was refused is at its end; it is said once."""
    clients, listener = Clients(refusals=3), Listener()
    subscription = subscribe(clients, listener)

    assert eventually(lambda: listener.assignments)
    assert [consumer.done[-1] for consumer in clients.opened[:3]] == [("close",)] * 3
    assert len(clients.opened) == 4
    assert subscription.error is None
    (line,) = [line for line in log_lines if line.startswith(SAID)]
    assert "another process runs with the same one" in line


@pytest.mark.usefixtures("impatient")
def test_a_member_that_is_refused_later_loses_what_it_had(subscribe, log_lines):
    """As after it was frozen: nothing of it commits, its handler hears of it, and it is said anew."""
    clients, listener = Clients(refusals=1), Listener()
    subscribe(clients, listener)
    assert eventually(lambda: listener.assignments)
    first = listener.assignments[0]
    clients.opened[1].give(Record(topic=TOPIC, error=KafkaError(KafkaError._FATAL, REFUSAL)))
    assert eventually(lambda: listener.lost_ones and listener.assignments[0] is not first)

    assert listener.lost_ones == [first]
    assert first.is_closed
    assert len([line for line in log_lines if line.startswith(SAID)]) == 2


def test_a_close_does_not_wait_until_the_member_is_taken_in(subscribe, monkeypatch):
    """Nobody knows how long that takes, and there is nothing to commit."""
    monkeypatch.setattr(subscription, "RELEASE_SECONDS", 3600.0)
    clients = Clients(refusals=1)
    refused = subscribe(clients, Listener())
    assert eventually(lambda: clients.opened and clients.opened[0].done[-1:] == [("close",)])
    refused.close()

    assert not refused.is_open
    assert len(clients.opened) == 1


@pytest.mark.usefixtures("impatient")
def test_a_client_that_cannot_be_opened_meanwhile_is_opened_later(subscribe):
    """As when a token does not come: the settings are those that have opened one before."""
    clients, listener = Clients(refusals=1), Listener()
    clients.cannot_open = {2, 3}
    subscribe(clients, listener)

    assert eventually(lambda: listener.assignments)
    assert clients.tried == 4


@pytest.mark.usefixtures("impatient")
def test_messages_come_to_who_waited(subscribe):
    """The subscription is the same one, whichever client it has."""
    clients, listener = Clients(refusals=2), Listener()
    subscription = subscribe(clients, listener)
    assert eventually(lambda: listener.assignments)
    clients.opened[-1].give(record(0), record(1))

    assert [message.offset for message in subscription.receive(2, 10.0)] == [0, 1]
