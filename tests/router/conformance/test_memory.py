"""The in-memory pub/sub keeps what the suite asks of every pub/sub.

It cannot have a broker that restarts, as its messages live in the process: that case runs in `test_suite.py`, over a stand-in.
"""

import msgspec
import pytest

from millstream.router import InMemoryConfig, InMemoryPubSub, Publisher, Subscriber
from millstream.router.testing.conformance import ConformanceSuite, Features
from tests.router.conformance.pipeline_cases import PipelineCases

pytestmark = pytest.mark.slow  # the whole suite of conformance: seconds


class TestVolatile(PipelineCases, ConformanceSuite):
    """What is published to nobody is gone; each subscription gets each message once."""

    features = Features(exactly_once=True, guaranteed_order=True, require_single_instance=True, force_short=True)

    def make_pubsub(self, group: str) -> tuple[Publisher, Subscriber]:
        """Open a pub/sub that keeps nothing."""
        pubsub = InMemoryPubSub(InMemoryConfig(partitions=4))
        return pubsub, pubsub


class TestGroups(PipelineCases, ConformanceSuite):
    """Messages are kept, and groups go on where they had committed."""

    features = Features(
        consumer_groups=True,
        guaranteed_order=True,
        persistent=True,
        require_single_instance=True,
        new_subscriber_receives_old_messages=True,
        force_short=True,
    )

    def setup_method(self) -> None:
        """Make the pub/sub of the case: its groups share it."""
        self.pubsub = InMemoryPubSub(InMemoryConfig(partitions=4, persistent=True))

    def make_pubsub(self, group: str) -> tuple[Publisher, Subscriber]:
        """Open a group of the pub/sub."""
        return self.pubsub, self.pubsub.group(group)


@pytest.mark.slow
class TestVolatileInFull(TestVolatile):
    """The same with the full volumes."""

    features = msgspec.structs.replace(TestVolatile.features, force_short=False)


@pytest.mark.slow
class TestGroupsInFull(TestGroups):
    """The same with the full volumes."""

    features = msgspec.structs.replace(TestGroups.features, force_short=False)
