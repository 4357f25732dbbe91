"""The suite runs what a declaration calls for, and fails a pub/sub that breaks a promise."""

import re
import subprocess
import sys
from typing import ClassVar

import msgspec
import pytest

from millstream.router import ConfigurationError, StateError
from millstream.router.testing import ConformanceError, ConformanceSuite, Features
from tests.router.conformance.broken_pubsubs import (
    GROUPS,
    IMPATIENT,
    Committing,
    CommittingAtTheEnd,
    Crashing,
    Doubling,
    Endless,
    Garbling,
    Greedy,
    Losing,
    LosingAtRestart,
    Mixing,
    Passing,
    Repeating,
    Restarting,
    Scattering,
    Shuffling,
    Splitting,
    Unstoppable,
)
from tests.router.conformance.pipeline_cases import PipelineCases
from tests.router.conformance.test_memory import TestGroups as Groups
from tests.router.conformance.test_memory import TestVolatile as Volatile
from tests.router.kafka.test_conformance_mock import TestConsumerProtocol as MockConsumer
from tests.router.kafka.test_conformance_mock import TestMockCluster as MockClassic
from tests.router.kafka.test_conformance_real import TestClassicProtocol as Classic
from tests.router.kafka.test_conformance_real import TestConsumerProtocolInFull as Consumer
from tests.router.kafka.test_conformance_real import TestCooperativeStickyInFull as CooperativeSticky

pytestmark = pytest.mark.slow  # whole runs of the suite or of pytest: seconds, not milliseconds

ALL = sorted(name for name in dir(ConformanceSuite) if name.startswith("test_"))
SLOW = pytest.mark.slow  # reads that give up one after the other
RESTART = "test_nothing_is_lost_when_the_broker_restarts"
CRASH = "test_acked_messages_never_come_again_after_a_crash"
KAFKA = [MockClassic, MockConsumer, Classic, CooperativeSticky, Consumer]

UNIVERSAL = {
    "TestPublishSubscribe",
    "TestConcurrentSubscribe",
    "TestConcurrentSubscribeMultipleTopics",
    "TestResendOnError",
    "TestNoAck",
    "TestContinueAfterSubscribeClose",
    "TestConcurrentClose",
    "TestContinueAfterErrors",
    "TestPublishSubscribeInOrder",
    "TestPublisherClose",
    "TestTopic",
    "TestMessageCtx",
    "TestSubscribeCtx",
    "TestNewSubscriberReceivesOldMessages",
    "TestReconnect",
    "TestConsumerGroups",
}
"""The cases of Watermill's suite, by their names there."""

MISSING_UPSTREAM = {
    "offset actually committed after ack": CRASH,
    "no redelivery of finished work after graceful close": "test_finished_messages_never_come_again",
    "rebalance during a slow handler": "test_message_in_a_slow_handler_is_not_handled_by_another_member",
    "poison record": "test_message_that_cannot_be_handled_becomes_one_record",
    "nack limit": "test_message_that_is_never_handled_is_poisoned_at_the_limit",
    "batch flush by count": "test_batches_are_flushed_by_count",
    "batch flush by bytes": "test_batches_are_flushed_by_bytes",
    "batch flush by time": "test_batch_is_flushed_when_its_oldest_message_is_old_enough",
    "batch flush at a revoke": "test_batch_is_flushed_at_a_revoke",
    "batch flush at the shutdown": "test_batch_is_flushed_at_the_shutdown",
    "partial batch failure": "test_failed_part_of_a_batch_becomes_one_record_and_nothing_comes_again",
    "throttle burst": "test_burst_passes_the_throttle_and_the_rest_waits_its_turn",
    "panic to DLQ": "test_panic_becomes_one_record",
}
"""What Watermill's suite has no case for, and the case here."""

NO_GROUPS = "needs persistent, needs consumer_groups"
NO_MEMBERS = "needs consumer_groups, needs persistent, needs not require_single_instance"
LEFT_OUT_BY_GROUPS = {
    RESTART: "needs restartable",
    CRASH: "needs crashable",
    "test_what_a_worker_holds_is_flushed_before_another_member_gets_its_share": "needs not require_single_instance",
    "test_message_in_a_slow_handler_is_not_handled_by_another_member": "needs not require_single_instance",
    "test_batch_is_flushed_at_a_revoke": "needs not require_single_instance",
}
LEFT_OUT_BY_VOLATILE = {
    RESTART: "needs restartable",
    CRASH: f"{NO_GROUPS}, needs crashable",
    "test_what_a_worker_holds_is_flushed_before_another_member_gets_its_share": NO_MEMBERS,
    "test_message_in_a_slow_handler_is_not_handled_by_another_member": NO_MEMBERS,
    "test_batch_is_flushed_at_a_revoke": NO_MEMBERS,
    "test_finished_messages_never_come_again": NO_GROUPS,
    "test_what_a_worker_flushes_at_the_close_never_comes_again": NO_GROUPS,
    "test_held_message_comes_again": NO_GROUPS,
    "test_message_without_an_ack_comes_again": NO_GROUPS,
    "test_part_of_a_batch_that_fails_becomes_one_record_and_none_of_it_comes_again": NO_GROUPS,
    "test_reading_goes_on_after_a_close": "needs persistent, needs not exactly_once",
    "test_subscriptions_that_close_at_once_lose_nothing": "needs not exactly_once",
    "test_each_group_gets_everything": "needs consumer_groups",
    "test_newcomer_gets_the_old_messages": "needs new_subscriber_receives_old_messages",
}


def cases_of(suite):
    """Return the cases of the suite that pytest would collect."""
    return {name for name in ALL if getattr(suite, name) is not None}


def test_suite_has_each_of_the_16_universal_cases_once():
    """Expect the docstrings to name the cases of Watermill's suite, all of them."""
    named = [name for case in ALL for name in re.findall(r"\((Test\w+)\)", getattr(ConformanceSuite, case).__doc__)]

    assert sorted(named) == sorted(UNIVERSAL)
    assert len(UNIVERSAL) == 16


@pytest.mark.parametrize("suite", KAFKA)
def test_every_case_that_upstream_lacks_runs_over_kafka(suite):
    """Expect each point of the list to have a case, defined in the suite or in the pipeline's and run by the declaration."""
    known = set(dir(ConformanceSuite)) | set(dir(PipelineCases))
    lost = {point: case for point, case in MISSING_UPSTREAM.items() if getattr(suite, case, None) is None}

    assert known.issuperset(MISSING_UPSTREAM.values())
    assert lost == {}


@pytest.mark.parametrize(
    ("suite", "left_out"),
    [
        *[(suite, {}) for suite in KAFKA],
        pytest.param(Groups, LEFT_OUT_BY_GROUPS, id="memory-groups"),
        pytest.param(Volatile, LEFT_OUT_BY_VOLATILE, id="memory-volatile"),
    ],
)
def test_declaration_leaves_out_only_what_its_pubsub_cannot_do(suite, left_out):
    """Expect nothing over Kafka, and by each declaration of the in-memory broker what this one names."""
    assert suite.left_out() == left_out


def test_two_declarations_of_the_memory_run_all_16_cases_but_the_restart_which_runs_over_a_stand_in():
    """Expect none but the restart to be left out by both; over the stand-in it is not."""
    universal = {name for name in ALL if "(Test" in getattr(ConformanceSuite, name).__doc__}

    assert universal - cases_of(Volatile) - cases_of(Groups) == {RESTART}
    assert RESTART in cases_of(Restarting)


def test_left_out_cases_are_named_with_what_they_need():
    """Expect the declaration to say why, and the rest to run."""
    left_out = Volatile.left_out()

    assert left_out["test_reading_goes_on_after_a_close"] == "needs persistent, needs not exactly_once"
    assert cases_of(Volatile) == set(ALL) - set(left_out)


def test_declaration_chooses_the_names_of_topics():
    """Expect every topic that a case uses to have a name that the declaration made, and to be created first."""

    class Named(Passing):
        made: ClassVar = []

        def generate_topic(self):
            """Follow a rule."""
            return f"orders-{len(self.made)}"

        def make_topic(self, topic):
            """Remember *topic*."""
            self.made.append(topic)

    suite = Named()
    suite.test_topics_are_apart()

    assert suite.made == ["orders-0", "orders-1", "orders-2"]
    assert set(suite.pubsub._topics) == {"orders-1", "orders-2"}


def test_declaration_derived_from_another_chooses_anew():
    """Expect the features of the child to count, and a case of its own to run whatever they are."""

    class Child(Volatile):
        features = GROUPS

        def test_each_group_gets_everything(self):
            """Stand for a case that was replaced."""

    class Grandchild(Child):
        features = Features()

    assert cases_of(Child) == cases_of(Groups)
    assert Grandchild.test_each_group_gets_everything is Child.test_each_group_gets_everything
    assert Grandchild.test_newcomer_gets_the_old_messages is None


def test_pubsub_in_order_passes():
    """Expect the pub/sub that the broken ones derive from to pass, or they would fail for no fault of theirs."""
    for name in sorted(cases_of(Passing)):
        getattr(Passing(), name)()

    assert set(ALL) - cases_of(Passing) == set(LEFT_OUT_BY_GROUPS) - set(dir(PipelineCases))


@pytest.mark.parametrize(
    ("broken", "case", "reason"),
    [
        pytest.param(Losing, "test_what_is_published_arrives", "10 of 100 messages never arrived", id="loss"),
        pytest.param(
            Losing,
            "test_many_publishers_and_subscribers_lose_nothing",
            "never arrived",
            id="loss-concurrent",
            marks=SLOW,
        ),
        pytest.param(Losing, "test_nacked_messages_come_again", "never arrived", id="loss-after-nack", marks=SLOW),
        pytest.param(
            Losing, "test_publishers_that_close_lose_nothing", "never arrived", id="loss-at-close", marks=SLOW
        ),
        pytest.param(
            Losing,
            "test_subscriptions_that_close_at_once_lose_nothing",
            "never arrived",
            id="loss-many-closes",
            marks=SLOW,
        ),
        pytest.param(Losing, "test_reading_goes_on_after_a_close", "never arrived", id="loss-over-closes", marks=SLOW),
        pytest.param(
            Losing,
            "test_many_topics_at_once_each_get_their_messages",
            "never arrived",
            id="loss-many-topics",
            marks=SLOW,
        ),
        pytest.param(
            Losing, "test_newcomer_gets_the_old_messages", "never arrived", id="loss-for-newcomer", marks=SLOW
        ),
        pytest.param(
            Losing,
            "test_subscription_that_leaves_at_once_takes_nothing_with_it",
            "never arrived",
            id="loss-leave",
            marks=SLOW,
        ),
        pytest.param(Garbling, "test_what_is_published_arrives", "changed their payload or metadata", id="metadata"),
        pytest.param(Shuffling, "test_messages_of_one_key_arrive_in_order", "not in the order", id="order"),
        pytest.param(
            Shuffling, "test_failed_message_comes_again_before_any_later_one", "another order", id="order-nack"
        ),
        pytest.param(Committing, "test_held_message_comes_again", "commit went past", id="commit-held"),
        pytest.param(Committing, "test_message_without_an_ack_comes_again", "commit went past", id="commit-unacked"),
        pytest.param(Committing, "test_nacked_messages_come_again", "never arrived", id="nack-ignored"),
        pytest.param(
            Committing, "test_nacks_without_end_block_nothing_for_ever", "nothing was delivered", id="nacks-ignored"
        ),
        pytest.param(Committing, "test_context_ends_with_the_message", "did not end", id="context"),
        pytest.param(
            Repeating, "test_finished_messages_never_come_again", "finished messages came again", id="repetition"
        ),
        pytest.param(
            Repeating,
            "test_what_a_worker_flushes_at_the_close_never_comes_again",
            "flushed messages came again",
            id="repetition-flushed",
        ),
        pytest.param(
            Repeating,
            "test_part_of_a_batch_that_fails_becomes_one_record_and_none_of_it_comes_again",
            "messages of the batch came again",
            id="repetition-batch",
        ),
        pytest.param(CommittingAtTheEnd, CRASH, "acked messages came again", id="commit-at-the-end"),
        pytest.param(
            Doubling,
            "test_what_a_worker_holds_is_flushed_before_another_member_gets_its_share",
            "arrived more than once",
            id="members",
        ),
        pytest.param(
            Doubling,
            "test_message_in_a_slow_handler_is_not_handled_by_another_member",
            "arrived more than once",
            id="members-slow",
        ),
        pytest.param(Splitting, "test_each_group_gets_everything", "never arrived", id="one-group"),
        pytest.param(Splitting, "test_newcomer_gets_the_old_messages", "never arrived", id="one-group-newcomer"),
        pytest.param(Endless, "test_closed_subscription_ends", "no SubscriptionClosed", id="no-end"),
        pytest.param(
            Endless,
            "test_subscription_that_leaves_at_once_takes_nothing_with_it",
            "no SubscriptionClosed",
            id="no-end-leave",
        ),
        pytest.param(
            Scattering,
            "test_no_later_message_is_handled_while_one_is_unfinished",
            "handled while the first was unfinished",
            id="keys",
        ),
        pytest.param(LosingAtRestart, RESTART, "2 of 5.. messages never arrived", id="loss-at-restart"),
        pytest.param(Unstoppable, RESTART, "goes on although the broker was stopped", id="no-outage"),
        pytest.param(Greedy, "test_receiver_gets_no_more_than_it_asks_for", "where 3 were asked for", id="greed"),
        pytest.param(Mixing, "test_topics_are_apart", "another topic came", id="topics"),
    ],
)
def test_broken_promise_is_noticed(broken, case, reason):
    """Expect the case to fail with an error that says what is wrong."""
    with pytest.raises(ConformanceError, match=reason):
        getattr(broken(), case)()


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        pytest.param("test_what_is_published_arrives", "a message came that should not have", id="one-subscription"),
        pytest.param("test_many_publishers_and_subscribers_lose_nothing", "arrived more than once", id="merged"),
    ],
)
def test_repeated_delivery_is_noticed_where_it_was_promised_not_to_happen(case, reason):
    """Expect what at-least-once delivery may do to fail a pub/sub that says exactly-once."""

    class Twice(Repeating):
        features = msgspec.structs.replace(IMPATIENT, exactly_once=True)

        def make_pubsub(self, group):
            """Open a publisher that publishes everything twice."""
            publisher, subscriber = super().make_pubsub(group)
            return TwicePublisher(publisher), subscriber

    with pytest.raises(ConformanceError, match=reason):
        getattr(Twice(), case)()


class TwicePublisher:
    """Publishes everything twice."""

    def __init__(self, inner):
        self._inner = inner

    def publish(self, topic, *messages):
        """Publish, and again."""
        self._inner.publish(topic, *messages, *messages)

    def close(self):
        """Close the publisher behind it."""
        self._inner.close()


def test_reader_that_had_committed_before_it_crashed_passes():
    """Expect the case to find nothing wrong with the stand-in that the broken one derives from."""
    Crashing().test_acked_messages_never_come_again_after_a_crash()


def test_restart_of_the_broker_is_survived_by_publishing_again():
    """Expect the case to restart the broker twice and to find every message."""
    suite = Restarting()
    suite.test_nothing_is_lost_when_the_broker_restarts()

    assert suite.restarts == 2


@pytest.mark.parametrize(("feature", "case"), [("restartable", RESTART), ("crashable", CRASH)])
def test_declaration_that_lacks_what_a_feature_needs_is_told(feature, case):
    """Expect the feature and the missing method to be named."""

    class Forgetful(Passing):
        features = msgspec.structs.replace(GROUPS, **{feature: True})

    with pytest.raises(StateError, match=f"Forgetful says that it is {feature}: it must have"):
        getattr(Forgetful(), case)()


@pytest.mark.parametrize(
    ("case", "told"),
    [
        pytest.param("test_messages_of_one_key_arrive_in_order", "Subscription delivers no runs", id="read"),
        pytest.param(
            "test_failed_message_comes_again_before_any_later_one", "its subscription delivers no runs", id="routed"
        ),
    ],
)
def test_pubsub_that_delivers_no_runs_is_told(case, told):
    """Expect a promise of runs to be looked at, by those who read and by those who handle."""

    class Single(Passing):
        features = msgspec.structs.replace(GROUPS, delivers_runs=True)

    with pytest.raises(ConformanceError, match=told):
        getattr(Single(), case)()


def test_impossible_features_are_refused_by_name():
    """Expect contradictions to be told when the declaration is made."""
    with pytest.raises(ConfigurationError, match="narrows guaranteed_order"):
        Features(guaranteed_order_with_single_subscriber=True)
    with pytest.raises(ConfigurationError, match="idle_timeout must be above 0"):
        Features(idle_timeout=0)


def test_library_needs_no_pytest():
    """Expect the suite to be importable where pytest is not installed."""
    code = "import sys; sys.modules['pytest'] = None; import millstream.router.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
