"""The Kafka side: brokers, topics, groups."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from millstream.handlers.events import LaneConfig
from millstream.handlers.events.service import HANDLERS
from millstream.handlers.lanes.attacher import LaneAttacher
from millstream.handlers.settings.sections import LANES, Settings
from millstream.router import ConfigurationError, KafkaSubscriberConfig, MillstreamError, TransientError
from millstream.router.kafka.inspection import Inspector, TopicFacts
from millstream.router.kafka.lag import GroupLag
from millstream.router.kafka.names import name_of

from ..dlq.options import GROUP
from .findings import ANSWER_SECONDS, Finding, Level, attempt, failure, ok, skipped, warning
from .groups import judge_group, judge_lag, judge_protocol
from .set_aside import look_at_poison
from .topics import judge_topics, needed_topics, poison_choices

HANDLER_OF = dict(zip(LANES, HANDLERS.values(), strict=True))
"""What the handler of each lane is called: a part of its member's name."""


class KafkaChecks:
    """Looks at the brokers, and at what the settings need of them.

    Args:
        settings: lanes, topics, groups.
        brokers: win over those of the settings.
    """

    def __init__(self, settings: Settings, brokers: Sequence[str]) -> None:
        self._settings = settings
        self._given = brokers
        self.can_publish = False
        """Whether a broker answers, and has the topic of the regular lane."""
        self._waiting: set[str] = set()
        """The poison topics with records that no replay has sent back."""

    def run(self) -> Iterator[Finding]:
        """Yield what is found, one after the other."""
        if not self._given and not self._settings.kafka.brokers:
            yield warning(
                "brokers", "none are set: run and publish need --brokers, kafka.brokers or MILLSTREAM_KAFKA__BROKERS"
            )
            return
        config = self._settings.kafka.publisher_config(self._given)
        subject = f"brokers {config.address}"
        try:
            inspector = Inspector(config, ANSWER_SECONDS)
            brokers = inspector.brokers()
        except MillstreamError as error:
            mend = "; start them, or mend kafka.brokers" if isinstance(error, TransientError) else ""
            yield failure(subject, f"{error}{mend}")
            yield skipped("topics, groups", "not looked at, as no broker answers")
            return
        yield ok(subject, f"{len(brokers)} broker{'s' if len(brokers) != 1 else ''} up")
        yield from attempt("brokers", lambda: self._protocol(inspector, brokers))
        yield from self._lanes(inspector, config.address)

    def _protocol(self, inspector: Inspector, brokers: Sequence[int]) -> Iterator[Finding]:
        """Only where the new protocol is asked for: every broker has the other."""
        wanted = self._settings.kafka.group_protocol
        if wanted == "classic" or not brokers:
            return
        try:
            found = judge_protocol(wanted, inspector.group_protocols(brokers[0]))
        except ConfigurationError as error:
            found = skipped("group protocol", f"not looked at: {error}")
        if found is not None:
            yield found

    def _lanes(self, inspector: Inspector, address: str) -> Iterator[Finding]:
        needed = needed_topics(self._settings)
        topics = inspector.topics({each.topic for each in needed})
        self.can_publish = isinstance(topics.get(self._settings.event_processing.topic), TopicFacts)
        yield from judge_topics(needed, topics, address)
        yield from poison_choices(self._settings)
        yield from self._set_aside(topics)
        attacher = LaneAttacher(self._settings, self._given)
        try:
            lanes = attacher.enabled()
        except ConfigurationError as error:
            yield failure("lanes", str(error))
            return
        for section, lane in lanes.items():
            look = partial(
                self._group, inspector, section, lane, attacher.subscriber_config(lane), topics.get(lane.topic)
            )
            yield from attempt(f"group {lane.consumer_group} ({section})", look)

    def _set_aside(self, topics: Mapping[str, object]) -> Iterator[Finding]:
        """Once for each poison topic, and not where it is missing, which was told."""
        poison = {lane.poison_topic for lane in self._settings.lanes.values() if lane.enabled}
        reader = self._settings.kafka.subscriber_config(GROUP, self._given)
        for topic in sorted(name for name in poison if name is not None):
            if isinstance(topics.get(topic), TopicFacts):
                found = look_at_poison(topic, reader)
                if found.level is Level.WARNING:
                    self._waiting.add(topic)
                yield found

    def _group(
        self,
        inspector: Inspector,
        section: str,
        lane: LaneConfig,
        config: KafkaSubscriberConfig,
        topic: object,
    ) -> Iterator[Finding]:
        instance = config.group_instance_id
        member = None if instance is None else name_of(instance, HANDLER_OF[section], lane.topic)
        facts = inspector.group(config.group_id)
        yield judge_group(section, config, facts, member)
        if not isinstance(topic, TopicFacts):
            yield skipped(f"lag of {section}", "not looked at, as there is no such topic")
            return
        with contextlib.closing(GroupLag(config, lane.topic)) as lag:
            committed = lag.committed(ANSWER_SECONDS)
            behind = lag.ends(ANSWER_SECONDS).lag(committed)
        yield judge_lag(
            section,
            behind,
            has_committed=bool(committed),
            has_members=facts.members > 0,
            has_set_aside=lane.poison_topic in self._waiting,
        )
