"""The suite itself: all cases in one class."""

from __future__ import annotations

from .closing_cases import ClosingCases
from .commit_cases import CommitCases
from .delivery_cases import DeliveryCases
from .group_cases import GroupCases
from .order_cases import OrderCases
from .outage_cases import OutageCases
from .poison_cases import PoisonCases
from .rebalance_cases import RebalanceCases


class ConformanceSuite(
    DeliveryCases, OrderCases, ClosingCases, GroupCases, CommitCases, RebalanceCases, PoisonCases, OutageCases
):
    """What every pub/sub must pass. Derive a class from it, say what the pub/sub promises and how to open it:

        class TestMine(ConformanceSuite):
            features = Features(persistent=True, consumer_groups=True, guaranteed_order=True)

            def make_pubsub(self, group: str) -> tuple[Publisher, Subscriber]:
                return MinePublisher(), MineSubscriber(group)

    pytest collects the cases that the features call for; `left_out` names the others. The suite itself needs no pytest: every
    case is a method without arguments. Cases know nothing of each other: each has topics and groups of its own.
    """
