"""The group of a lane: whether it would take us, and how far it is behind."""

from __future__ import annotations

from millstream.router import KafkaSubscriberConfig
from millstream.router.kafka.inspection import GroupFacts

from .findings import Finding, failure, ok, warning

READ = "READ"


def judge_group(lane: str, config: KafkaSubscriberConfig, facts: GroupFacts, instance: str | None) -> Finding:
    """Return whether a live group takes a member that comes as we do.

    Args:
        lane: its section.
        config: what our member comes with.
        facts: what the group is like.
        instance: what our member would be called; `None`: it would be dynamic.
    """
    subject = f"group {config.group_id} ({lane})"
    ours = "consumer" if config.group_protocol == "consumer" else f"classic, {config.assignment_strategy}"
    if facts.rights is not None and READ not in facts.rights:
        return failure(subject, "we may not READ it: have that right granted to our user")
    if not facts.members:
        return ok(subject, f"no members; ours come with {ours}")
    theirs = "consumer" if facts.protocol == "consumer" else f"classic, {facts.strategy or 'coming together'}"
    members = f"{facts.members} member{'s' if facts.members != 1 else ''}"
    if facts.protocol != config.group_protocol:
        told = "the brokers take both only while group.consumer.migration.policy lets them"
        mend = f"set kafka.group_protocol = '{facts.protocol}', or stop the others before ours start"
        return warning(subject, f"{members} with {theirs}, ours come with {ours}: {told}; {mend}")
    if facts.protocol == "classic" and facts.strategy and facts.strategy != config.assignment_strategy:
        told = "the brokers refuse us (INCONSISTENT_GROUP_PROTOCOL)"
        mend = f"set kafka.assignment_strategy = '{facts.strategy}', or stop them all before ours start"
        return failure(subject, f"{members} with {theirs}, ours come with {ours}: {told}; {mend}")
    named = (
        f"; {instance} is one of them, and no second process may have that name" if instance in facts.instances else ""
    )
    return ok(subject, f"{members} with {theirs}, as ours{named}")


def judge_lag(lane: str, lag: int, *, has_committed: bool, has_members: bool, has_set_aside: bool) -> Finding:
    """Return how far the lane is behind; nobody works on it where the group has no members.

    Where records wait in its poison topic it may have halted, and a start would only set more aside.
    """
    subject = f"lag of {lane}"
    began = "" if has_committed else ", and nothing is committed yet"
    text = f"{lag:,} message{'' if lag == 1 else 's'} behind{began}"
    if lag and not has_members:
        first = "mend first what is set aside, then " if has_set_aside else ""
        return warning(subject, f"{text}, and nobody consumes: {first}start millstream run")
    return ok(subject, text)


def judge_protocol(wanted: str, offered: frozenset[str]) -> Finding | None:
    """Return a failure where the brokers have not the protocol for groups that is *wanted*."""
    if wanted in offered:
        return None
    told = f"they are too old for kafka.group_protocol = '{wanted}' (Apache Kafka 4.0 and newer), or it is switched off there"
    return failure("brokers", f"{told}: set it to 'classic'")
