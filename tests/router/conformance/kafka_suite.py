"""What the declarations over mock brokers and over a real Kafka have in common."""

from functools import partial
from typing import Any, ClassVar

from millstream.router import Publisher, Subscriber
from millstream.router.kafka import KafkaPublisher, KafkaPublisherConfig, KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.testing import Features
from millstream.router.testing.conformance import read_and_be_killed

KAFKA = Features(
    persistent=True,
    consumer_groups=True,
    clean_handover=True,
    guaranteed_order=True,
    new_subscriber_receives_old_messages=True,
    restartable=True,
    crashable=True,
    force_short=True,
    idle_timeout=60.0,  # a broker and a group on a busy machine
)
"""Everything but exactly-once delivery."""


class KafkaPubSub:
    """Opens publishers and members of groups; the declaration says where."""

    brokers: list[str]
    """Where the broker under test listens."""
    options: ClassVar[dict[str, Any]] = {}
    """Of the subscriber: group protocol and times."""

    def make_pubsub(self, group: str) -> tuple[Publisher, Subscriber]:
        """Return a publisher and a member of *group*."""
        return KafkaPublisher(KafkaPublisherConfig(brokers=self.brokers)), KafkaSubscriber(self.config(group))

    def config(self, group: str) -> KafkaSubscriberConfig:
        """Return the settings of a member of *group*."""
        return KafkaSubscriberConfig(brokers=self.brokers, group_id=group, commit_interval=0.1, **self.options)

    def crash_reader(self, group: str, topic: str, count: int) -> None:
        """Read with a member of *group* that is killed twenty commit intervals later."""
        read_and_be_killed(partial(KafkaSubscriber, self.config(group)), topic, count)
