"""The steps of `millstream migrate --topics`: the topics that the enabled lanes read and write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import msgspec

from millstream.handlers.lanes.attacher import LaneAttacher
from millstream.handlers.settings.sections import Settings
from millstream.router.kafka.topic_plan import RETENTION, TopicWanted, plan_topic
from millstream.router.kafka.topic_setup import TopicSetup

from .migrate_steps import Step

PARTITIONS = 6
"""Of a topic that is made: the original's number, room for as many processes in a group."""
DLQ_PARTITIONS = 3
"""The same; few messages are expected there."""
MILLISECONDS_OF_A_DAY = 86_400_000


class TopicOptions(msgspec.Struct, frozen=True):
    """What was given on the command line; `None`: nothing, and then a topic that is there is not compared in that.

    Args:
        partitions: of what lanes read, and of the topic of post-processing.
        dlq_partitions: of what poison records go to.
        replication_factor: of all.
        dlq_retention_days: how long poison records are kept.
    """

    partitions: int | None = None
    dlq_partitions: int | None = None
    replication_factor: int | None = None
    dlq_retention_days: int | None = None


def wanted_topics(settings: Settings, brokers: Sequence[str], options: TopicOptions) -> list[TopicWanted]:
    """Return the topics of the enabled lanes, then that of post-processing, then their DLQs; each once.

    Raises:
        ConfigurationError: no lane is enabled.
    """
    lanes = LaneAttacher(settings, brokers)
    written = lanes.topics_to_publish()
    dlqs = {topic for setting, topic in written.items() if setting.endswith("topic_dlq")}
    # A topic that is both is read as a lane: what its records wait for must not run out.
    read = {lane.topic: None for lane in lanes.enabled().values()} | dict.fromkeys(set(written.values()) - dlqs)
    days = options.dlq_retention_days
    kept = {} if days is None else {RETENTION: str(days * MILLISECONDS_OF_A_DAY)}
    return [
        *(_wanted(topic, options.partitions, PARTITIONS, options, {}) for topic in read),
        *(
            _wanted(topic, options.dlq_partitions, DLQ_PARTITIONS, options, kept)
            for topic in dict.fromkeys(written.values())
            if topic not in read
        ),
    ]


def _wanted(
    topic: str, given: int | None, default: int, options: TopicOptions, settings: dict[str, str]
) -> TopicWanted:
    return TopicWanted(
        topic=topic,
        partitions=default if given is None else given,
        grows=given is not None,
        replication_factor=options.replication_factor,
        settings=settings,
    )


def topic_steps(setup: TopicSetup, topics: Sequence[TopicWanted]) -> Iterator[Step]:
    """Look at each topic, then yield what is to be done; blocks.

    Raises:
        ConfigurationError, TransientError: see `TopicSetup.look`; and the steps as `TopicSetup.bring`.
    """
    for wanted in topics:
        plan = plan_topic(setup.look(wanted.topic), wanted)
        do = partial(setup.bring, wanted, plan)
        yield Step(f"topic {wanted.topic}: {plan.text}", do, partial(do, only_check=True))
        for line in plan.drift:
            yield Step(f"topic {wanted.topic}: {line}")
