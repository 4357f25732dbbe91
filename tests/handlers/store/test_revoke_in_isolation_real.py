"""On a real Kafka: a member joins while another takes a batch apart, and nothing that is through comes again."""

import contextlib
import threading

import msgspec
import pytest

from millstream.handlers.batching import BatchConfig, BatchMessage, MessageBatcher
from millstream.handlers.store.insert_plan import MAX_ISOLATED_PER_CYCLE
from millstream.router import (
    KafkaPublisher,
    KafkaPublisherConfig,
    KafkaSubscriber,
    KafkaSubscriberConfig,
    Message,
    PoisonTopic,
    Router,
    RouterConfig,
    StormLimits,
)
from millstream.router.testing import RecordingPublisher, eventually
from tests.handlers.store.own_table_aids import GOOD, SERVER, ForgetfulStore, Row, line, numbers, numbers_of, table_in

pytestmark = pytest.mark.soak

KINDS = [GOOD, GOOD, GOOD, SERVER] * 500
INSERT_SECONDS = 0.02
"""So that a batch of a thousand takes longer than a revoke has, which is half of the session."""
SESSION_SECONDS = 10.0
SECONDS = 150.0


class SlowStore(ForgetfulStore):
    """A store that takes its time for each INSERT."""

    def insert_lines(self, *arguments):
        """Wait, and store."""
        threading.Event().wait(INSERT_SECONDS)
        super().insert_lines(*arguments)


@contextlib.contextmanager
def member(brokers, topic, table, dlq):
    """Run one member of the group, which stores what it gets in *table*."""
    batcher = MessageBatcher(BatchConfig(batch_size=1000, flush_interval=1.0), lambda batch: table.store(batch, line))
    config = KafkaSubscriberConfig(brokers=brokers, group_id=topic, session_timeout=SESSION_SECONDS)
    router = Router(RouterConfig(poison_limits=StormLimits(enabled=False)))

    def take(message):
        batcher.add(BatchMessage(message, msgspec.json.decode(message.payload, type=Row)))

    router.add_worker(batcher)
    router.add_consumer_handler("rows", topic, KafkaSubscriber(config), take, poison=PoisonTopic(dlq, "dlq"))
    router.start()
    try:
        yield
    finally:
        router.close()


def test_nothing_that_is_through_comes_again_when_another_member_joins(real_kafka):
    """Expect each row in the table once, or in the DLQ once, and all of it committed."""
    brokers, topic, dlq = [real_kafka.bootstrap_servers], real_kafka.create_topic(2), RecordingPublisher()
    with contextlib.closing(KafkaPublisher(KafkaPublisherConfig(brokers=brokers))) as publisher:
        rows = [Message(msgspec.json.encode(Row(*each)), key=b"%d" % (each[0] % 50)) for each in enumerate(KINDS)]
        publisher.publish(topic, *rows)
    store = SlowStore()
    table = table_in(store)
    with contextlib.ExitStack() as members:
        members.enter_context(member(brokers, topic, table, dlq))
        assert eventually(lambda: len(dlq.messages("dlq")) >= MAX_ISOLATED_PER_CYCLE, SECONDS)
        members.enter_context(member(brokers, topic, table, dlq))
        assert eventually(lambda: sum(real_kafka.committed(topic, topic).values()) == len(KINDS), SECONDS)

    assert numbers(store.rows()) == numbers_of(KINDS, GOOD)
    assert numbers([message.payload for message in dlq.messages("dlq")]) == numbers_of(KINDS, SERVER)
