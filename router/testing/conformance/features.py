"""What a pub/sub says of itself, and which cases follow from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from ...errors import ConfigurationError


class Features(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a pub/sub promises. The suite runs every case that a promise calls for, and leaves out what was not promised.

    Args:
        consumer_groups: subscribers of one group share a topic, and a group goes on where it committed.
        clean_handover: what a member of a group has finished before its share goes to another one does not come to that one
            again: the broker takes commits while it shares out anew.
        exactly_once: what was not nacked is delivered once; otherwise reads count each uuid once.
        guaranteed_order: messages of one key arrive in the order they were published.
        guaranteed_order_with_single_subscriber: that holds only while a topic (or group) has one subscriber.
        persistent: messages wait for whoever subscribes later, until they are settled.
        require_single_instance: publisher and subscriber live and die together, as inside one process: the suite opens one
            pair per group and closes it at the end of the case; and a case reads through one subscription.
        new_subscriber_receives_old_messages: a subscriber of a new group starts at the beginning of the topic.
        restartable: the suite has `stop_service` and `start_service`, which restart the broker.
        crashable: the suite has `crash_reader`, which kills a subscriber.
        delivers_runs: subscriptions deliver messages in runs to who takes them so (`DeliversRuns`): wherever a case has one
            handler without middleware or threads beside it, runs are offered to it, and refused; and readers have asked for runs
            before they receive messages. So the case looks at what becomes of runs.
        force_short: always use the small volumes; for pub/subs that take milliseconds per message.
        idle_timeout: seconds without anything new before a read gives up.

    Watermill's `ContextPreserved` has no counterpart: a context belongs to one delivery here, so no pub/sub carries one over.
    """

    consumer_groups: bool = False
    clean_handover: bool = False
    exactly_once: bool = False
    guaranteed_order: bool = False
    guaranteed_order_with_single_subscriber: bool = False
    persistent: bool = False
    require_single_instance: bool = False
    new_subscriber_receives_old_messages: bool = False
    restartable: bool = False
    crashable: bool = False
    delivers_runs: bool = False
    force_short: bool = False
    idle_timeout: float = 15.0

    def __post_init__(self) -> None:
        if self.idle_timeout <= 0:
            raise ConfigurationError(f"Features.idle_timeout must be above 0, not {self.idle_timeout}")
        if self.guaranteed_order_with_single_subscriber and not self.guaranteed_order:
            raise ConfigurationError(
                "Features.guaranteed_order_with_single_subscriber narrows guaranteed_order: set that as well"
            )


Case = TypeVar("Case", bound=Callable[..., None])


def needs(**required: bool) -> Callable[[Case], Case]:
    """Mark a case as one for pub/subs whose features have the given values only."""
    for name in required:
        if name not in Features.__struct_fields__:
            raise ConfigurationError(f"there is no feature called {name!r}")

    def mark(case: Case) -> Case:
        case.__dict__["needs"] = required
        return case

    return mark


def why_left_out(case: Callable[..., Any], features: Features) -> str | None:
    """Return what keeps *case* from running, or `None` when it runs."""
    required: dict[str, bool] = getattr(case, "needs", {})
    unmet = [name for name, value in required.items() if getattr(features, name) is not value]
    return ", ".join(f"needs {'' if required[name] else 'not '}{name}" for name in unmet) or None
