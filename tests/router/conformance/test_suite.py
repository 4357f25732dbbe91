"""The suite runs what a declaration calls for, and fails a pub/sub that breaks a promise."""

import subprocess
import sys

import msgspec
import pytest

from millstream.router import ConfigurationError, StateError
from millstream.router.testing import ConformanceError, ConformanceSuite, Features
from tests.router.conformance.broken_pubsubs import (
    GROUPS,
    IMPATIENT,
    Committing,
    Garbling,
    Losing,
    LosingAtRestart,
    Mixing,
    Passing,
    Repeating,
    Restarting,
    Sharing,
    Shuffling,
)
from tests.router.conformance.test_memory import TestGroups as Groups
from tests.router.conformance.test_memory import TestVolatile as Volatile

pytestmark = pytest.mark.slow  # whole runs of the suite or of pytest: seconds, not milliseconds

ALL = sorted(name for name in dir(ConformanceSuite) if name.startswith("test_"))
SLOW = pytest.mark.slow  # reads that give up one after the other
RESTART = "test_nothing_is_lost_when_the_broker_restarts"


def cases_of(suite):
    """Return the cases that pytest would collect."""
    return {name for name in ALL if getattr(suite, name) is not None}


def test_suite_has_the_16_universal_cases_and_those_that_upstream_lacks():
    """Expect nobody to drop a case unnoticed."""
    assert len(ALL) == 16 + 7


def test_two_declarations_of_the_memory_run_every_case_but_the_restart():
    """Expect only what it cannot have to be left out."""
    together = cases_of(Volatile) | cases_of(Groups)

    assert set(ALL) - together == {RESTART}


def test_left_out_cases_are_named_with_what_they_need():
    """Expect the declaration to say why, and the rest to run."""
    left_out = Volatile.left_out()

    assert left_out[RESTART] == "needs restartable"
    assert left_out["test_reading_goes_on_after_a_close"] == "needs persistent, needs not exactly_once"
    assert cases_of(Volatile) == set(ALL) - set(left_out)


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

    assert len(cases_of(Passing)) == len(ALL) - 1


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
        pytest.param(Committing, "test_nacks_without_end_block_nothing_for_ever", "never arrived", id="nacks-ignored"),
        pytest.param(Committing, "test_context_ends_with_the_message", "did not end", id="context"),
        pytest.param(
            Repeating, "test_finished_messages_never_come_again", "finished messages came again", id="repetition"
        ),
        pytest.param(Sharing, "test_newcomer_gets_the_old_messages", "reads topic", id="one-group"),
        pytest.param(Mixing, "test_topics_are_apart", "another topic came", id="topics"),
    ],
)
def test_broken_promise_is_noticed(broken, case, reason):
    """Expect the case to fail with an error that says what is wrong."""
    with pytest.raises((ConformanceError, StateError), match=reason):
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


def test_restart_of_the_broker_is_survived_by_publishing_again():
    """Expect the case to restart the broker twice and to find every message."""
    suite = Restarting()
    suite.test_nothing_is_lost_when_the_broker_restarts()

    assert suite.restarts == 2


def test_broker_that_loses_what_it_confirmed_is_noticed():
    """Expect messages that were confirmed around the restart to be missed."""
    with pytest.raises(ConformanceError, match="50 of 500 messages never arrived"):
        LosingAtRestart().test_nothing_is_lost_when_the_broker_restarts()


def test_declaration_that_cannot_restart_its_broker_is_told():
    """Expect the feature and the missing method to be named."""

    class Forgetful(Passing):
        features = Features(persistent=True, restartable=True, require_single_instance=True, force_short=True)

    with pytest.raises(StateError, match="Forgetful says that it is restartable"):
        Forgetful().test_nothing_is_lost_when_the_broker_restarts()


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
