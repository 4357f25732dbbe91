"""What becomes of a topic that is to be there: made, given more partitions, or left; what else is different is only named.

Partitions only grow: Kafka has no way to take one away, and a new one moves keys, so that it is done only where it was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

RETENTION, CLEANUP = "retention.ms", "cleanup.policy"
"""Settings of a topic: how long it keeps messages, and whether it keeps only the last one of a key."""
LEFT = "left as it is"
ORDER = "a key may move to another: what it has in the old one may be read after what it gets in the new one"


class TopicWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A topic that is to be there.

    Args:
        topic: its name.
        partitions: how many it is made with.
        grows: whether one that has fewer is given more.
        replication_factor: copies of each partition; `None`: what the brokers are set to.
        settings: what it is made with, such as `retention.ms`.
    """

    topic: str
    partitions: int
    grows: bool = False
    replication_factor: int | None = None
    settings: Mapping[str, str] = {}


class TopicFound(msgspec.Struct, frozen=True):
    """A topic that is there.

    Args:
        partitions: how many it has.
        replicas: copies of the partition that has the fewest.
        settings: those in force; `None`: we have no right to see them.
    """

    partitions: int
    replicas: int
    settings: Mapping[str, str] | None = None


class TopicPlan(msgspec.Struct, frozen=True):
    """What becomes of a topic.

    Args:
        text: that, in one line.
        partitions: how many it gets; `None`: it is left.
        is_new: whether it is made.
        drift: what is different and stays, a line each.
    """

    text: str
    partitions: int | None = None
    is_new: bool = False
    drift: tuple[str, ...] = ()


def plan_topic(found: TopicFound | None, wanted: TopicWanted) -> TopicPlan:
    """Return what becomes of the topic; the same again once that is done: nothing."""
    if found is None:
        return TopicPlan(f"created with {_made_with(wanted)}", wanted.partitions, is_new=True)
    drift = _drift(found, wanted)
    if wanted.grows and found.partitions < wanted.partitions:
        text = f"partitions raised from {found.partitions} to {wanted.partitions}: {ORDER}"
        return TopicPlan(text, wanted.partitions, drift=drift)
    return TopicPlan(f"was there, with {_counted(found.partitions)}", drift=drift)


def _made_with(wanted: TopicWanted) -> str:
    copies = [] if wanted.replication_factor is None else [f"replication factor {wanted.replication_factor}"]
    settings = [f"{name} = {value}" for name, value in wanted.settings.items()]
    return ", ".join([_counted(wanted.partitions), *copies, *settings])


def _counted(partitions: int) -> str:
    return f"{partitions} partition{'s' if partitions > 1 else ''}"


def _drift(found: TopicFound, wanted: TopicWanted) -> tuple[str, ...]:
    lines = []
    if wanted.grows and found.partitions > wanted.partitions:
        lines.append(
            f"it has {found.partitions} partitions, more than {wanted.partitions}: {LEFT}, as none can be taken away"
        )
    if wanted.replication_factor not in {None, found.replicas}:
        told = f"its replication factor is {found.replicas}, not {wanted.replication_factor}"
        lines.append(f"{told}: {LEFT}; kafka-reassign-partitions changes it")
    settings = found.settings
    if settings is None:
        return (*lines, "its settings: not looked at, as we have no right to")
    lines += [
        f"its {name} is {settings.get(name, 'not set')}, not {value}: {LEFT}; kafka-configs changes it"
        for name, value in wanted.settings.items()
        if settings.get(name) != value
    ]
    if "compact" in settings.get(CLEANUP, ""):
        lines.append(f"its {CLEANUP} is {settings[CLEANUP]}: {LEFT}, and loses all but the last message of a key")
    return tuple(lines)
