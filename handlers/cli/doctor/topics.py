"""The topics of the settings: those that are read, and those that are written to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from millstream.handlers.lanes.parts import migrating
from millstream.handlers.settings.sections import Settings
from millstream.router import MillstreamError
from millstream.router.kafka.errors import creating
from millstream.router.kafka.inspection import TopicFacts

from .findings import Finding, failure, ok

READ, WRITE = "READ", "WRITE"


class NeededTopic(msgspec.Struct, frozen=True):
    """A topic that the settings name.

    Args:
        setting: which one names it.
        topic: its name.
        right: what has to be done with it.
        instead: what else helps where it is missing.
    """

    setting: str
    topic: str
    right: str
    instead: str = ""

    @property
    def subject(self) -> str:
        """What a line calls it."""
        return f"topic {self.topic} ({self.setting})"


def needed_topics(settings: Settings) -> list[NeededTopic]:
    """Return the topics of the enabled lanes, and those that a service and `publish` write to."""
    lanes = {section: lane for section, lane in settings.lanes.items() if lane.enabled}
    needed = [NeededTopic(f"{section}.topic", lane.topic, READ) for section, lane in lanes.items()]
    for section, lane in lanes.items():
        if lane.poison_topic is not None:
            name = f"{section}.topic_dlq"
            needed.append(NeededTopic(name, lane.poison_topic, WRITE, ", or set it to 'none' or 'drop'"))
    written = {
        "post_processing.topic": settings.post_processing.topic,
        "kafka.topic": settings.kafka.topic,
        "kafka.topic_lazy": settings.kafka.topic_lazy,
        "kafka.topic_bulk": settings.kafka.topic_bulk,
    }
    needed += [NeededTopic(setting, topic, WRITE) for setting, topic in written.items() if topic is not None]
    return needed


def poison_choices(settings: Settings) -> Iterator[Finding]:
    """Yield, for each lane whose poison goes to no topic, what becomes of it."""
    for section, lane in settings.lanes.items():
        if lane.enabled and lane.poison_topic is None:
            yield ok(f"poison of {section}", f"{lane.topic_dlq!r}, which needs no topic")


def judge_topics(
    needed: list[NeededTopic], found: Mapping[str, TopicFacts | MillstreamError | None], address: str
) -> Iterator[Finding]:
    """Yield what is to be said of each topic, by what the brokers at *address* tell of it."""
    for each in needed:
        yield judge_topic(each, found.get(each.topic), address)


def judge_topic(needed: NeededTopic, facts: TopicFacts | MillstreamError | None, address: str) -> Finding:
    """Return what is to be said of one; `None` is a topic that is not there."""
    if facts is None:
        # What only `publish` writes to no lane need read: `migrate` does not know it.
        is_of_lanes = not needed.setting.startswith("kafka.")
        command = migrating(address) if is_of_lanes else creating(needed.topic, address)
        return failure(needed.subject, f"there is no such topic: create it with: {command}{needed.instead}")
    if isinstance(facts, MillstreamError):
        return failure(needed.subject, str(facts))
    if facts.leaderless:
        text = f"{facts.leaderless} of {facts.partitions} partitions have no leader: bring their brokers back"
        return failure(needed.subject, text)
    if facts.rights is not None and needed.right not in facts.rights:
        return failure(needed.subject, f"we may not {needed.right} it: have that right granted to our user")
    return ok(needed.subject, f"{facts.partitions} partition{'s' if facts.partitions != 1 else ''}")
