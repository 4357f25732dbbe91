"""Creating the topic of `millstream publish`, however long the brokers take to come up."""

from __future__ import annotations

import threading

import click

from millstream.router import MONOTONIC
from millstream.router.errors import TransientError
from millstream.router.foreign_calls import foreign_call
from millstream.router.kafka import KafkaAdmin, KafkaPublisherConfig
from millstream.router.worker_thread import WorkerThread

ATTEMPT_SECONDS = 5.0
"""For one attempt."""
PAUSE_SECONDS = 0.2
"""Between two attempts where one failed at once."""
LOOK_SECONDS = 1.0
"""How often the end of the thread is looked for; an interrupt ends the wait at once."""


def create_topic(config: KafkaPublisherConfig, topic: str, partitions: int) -> None:
    """Create *topic* if it is missing, and say so, or say how many partitions the one that is there has.

    Waits while no broker can be reached, for `delivery_timeout` at most. An interrupt is heard at once: the brokers are asked on
    a thread of its own, as librdkafka waits for seconds at a time.

    Raises:
        ConfigurationError: the brokers refuse it or us.
        TransientError: no broker was reached in time.
    """
    thread = WorkerThread("kafka-create-topic", lambda: _create_patiently(config, topic, partitions))
    thread.start()
    while not thread.join(MONOTONIC.now() + LOOK_SECONDS):
        pass
    if thread.error is not None:
        raise thread.error


def _create_patiently(config: KafkaPublisherConfig, topic: str, partitions: int) -> None:
    with foreign_call():  # the end of the process would wait for the answer
        _create_once_reached(config, topic, partitions)


def _create_once_reached(config: KafkaPublisherConfig, topic: str, partitions: int) -> None:
    admin = KafkaAdmin(config)
    deadline = MONOTONIC.now() + config.delivery_timeout
    has_waited = False
    while True:
        try:
            text = _create(admin, topic, partitions)
        except TransientError:
            if MONOTONIC.now() >= deadline:
                raise
            has_waited = True
            threading.Event().wait(PAUSE_SECONDS)
        else:
            click.echo(f"millstream: {'Kafka is back; ' if has_waited else ''}{text}", err=True)
            return


def _create(admin: KafkaAdmin, topic: str, partitions: int) -> str:
    # Looked at first: who may write to a topic often may not create one.
    there = admin.count_partitions(topic, ATTEMPT_SECONDS)
    if there is None:
        if admin.create_topic(topic, partitions=partitions, timeout=ATTEMPT_SECONDS):
            return f"topic {topic} created with {partitions} partition{'' if partitions == 1 else 's'}"
        there = admin.count_partitions(topic, ATTEMPT_SECONDS)
    if there == partitions:
        return f"topic {topic} is there already"
    has = f"{there} partition{'' if there == 1 else 's'}"
    return f"topic {topic} is there already, with {has} instead of {partitions}: left as it is"
