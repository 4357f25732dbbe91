"""`--once`: when the group counts as done. No broker, no clock."""

import pytest

from millstream.handlers.cli.run.catch_up import QUIET_QUESTIONS, SLICE_SECONDS, CatchUp, run_to_the_end
from millstream.router import ConfigurationError, HaltedError, InMemoryPubSub, Router, TransientError
from millstream.router.kafka.lag import TopicEnds

AWAY = TransientError("not the coordinator")


def ends(end):
    """Return where a topic of one partition ends."""
    return TopicEnds(first={0: 0}, end={0: end})


class ScriptedLag:
    """Answers as told, the last answer again and again."""

    def __init__(self, ends, committed):
        self._ends = list(ends)
        self._committed = list(committed)
        self.timeouts = []
        """What each question while the router runs was given."""
        self.is_closed = False
        self.in_transaction = 0

    def ends(self, timeout=None, *, with_open=False):
        """Return where the topic ends; an open transaction stands behind that, which who reads all of it has read."""
        answer = self._answer(self._ends, timeout)
        return ends(answer.end[0] + self.in_transaction) if with_open else answer

    def committed(self, timeout=None):
        """Return what is committed."""
        offset = self._answer(self._committed, timeout)
        return {} if offset is None else {0: offset}

    def close(self):
        """Note it."""
        self.is_closed = True

    def _answer(self, answers, timeout):
        if timeout is not None:
            self.timeouts.append(timeout)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Rounds:
    """A router that has ended after so many waits."""

    def __init__(self, count):
        self.left = count
        self.waits = []

    def wait(self, seconds):
        """Count it."""
        self.waits.append(seconds)
        self.left -= 1

    def has_ended(self):
        """Tell whether it has."""
        return self.left < 0


def caught_up(lag, rounds):
    """Wait for one lane without a batch; returns whether it is done."""
    catch_up = CatchUp([], [lag], rounds.wait)
    catch_up.note_ends()
    return catch_up.wait(rounds.has_ended)


def test_it_is_done_once_what_was_there_is_committed():
    """It asks again until then."""
    rounds = Rounds(10)

    assert caught_up(ScriptedLag([ends(5)], [None, 2, 5]), rounds)
    assert len(rounds.waits) == 2


def test_who_ends_before_is_not_done():
    """As by a signal: there is something left."""
    assert not caught_up(ScriptedLag([ends(5)], [4]), Rounds(3))


def test_commits_beyond_the_start_are_of_new_records():
    """The topic has grown since."""
    assert caught_up(ScriptedLag([ends(5), ends(9)], [8]), Rounds(3))


def test_a_commit_inside_an_open_transaction_is_of_the_log():
    """By a group that reads uncommitted records: the end that others see stands still meanwhile."""
    lag = ScriptedLag([ends(5)], [7])
    lag.in_transaction = 3

    assert caught_up(lag, Rounds(3))


def test_a_commit_beyond_the_end_of_the_log_is_not_done():
    """The log that it is of is gone, and what is there now was never read."""
    rounds = Rounds(3)

    assert not caught_up(ScriptedLag([ends(5)], [100]), rounds)
    assert len(rounds.waits) == 4


def test_no_question_keeps_signals_waiting():
    """While the router runs each takes half a second at most."""
    lag = ScriptedLag([ends(5), ends(9)], [8])
    caught_up(lag, Rounds(3))

    assert lag.timeouts == [SLICE_SECONDS, SLICE_SECONDS]
    assert SLICE_SECONDS <= 0.5


def test_a_broker_that_does_not_say_is_asked_again_and_told_of_once(log_lines):
    """With its reason, and once more when it goes on."""
    lag = ScriptedLag([AWAY, AWAY, ends(5)], [AWAY] * (QUIET_QUESTIONS + 2) + [2, 5])

    assert caught_up(lag, Rounds(20))
    assert (
        log_lines
        == [
            f"WARNING not known how far the group is, asking again: {AWAY}",
            "WARNING known again how far the group is",
        ]
        * 2
    )


def test_a_few_questions_without_an_answer_are_no_news(log_lines):
    """A coordinator that is only just starting takes longer than one of them may."""
    few = [AWAY] * QUIET_QUESTIONS

    assert caught_up(ScriptedLag([ends(5)], [*few, 2, *few, 5]), Rounds(20))
    assert log_lines == []


def test_a_topic_that_is_missing_at_the_start_ends_it():
    """There is nothing to wait for."""
    with pytest.raises(ConfigurationError, match="no topic"):
        CatchUp([], [ScriptedLag([ConfigurationError("there is no topic")], [0])]).note_ends()


def test_its_connections_are_closed():
    """All of them."""
    lags = [ScriptedLag([ends(0)], [0]) for _ in range(2)]
    CatchUp([], lags).close()

    assert all(lag.is_closed for lag in lags)


@pytest.fixture
def router():
    """One with a handler, not started."""
    router = Router()
    router.add_consumer_handler("own", "orders", InMemoryPubSub(), print, poison="drop")
    return router


class Waiting:
    """A `CatchUp` that does as the test says while the router runs."""

    def __init__(self, act):
        self.wait = act


@pytest.mark.parametrize("error", [ConfigurationError("refused"), ZeroDivisionError("bug")], ids=["ours", "a bug"])
def test_an_error_on_the_way_closes_the_router_before_it_goes_on(router, error):
    """Whoever catches it closes the store, and nothing may run by then."""

    def fail(_has_ended):
        raise error

    with pytest.raises(type(error), match=str(error)):
        run_to_the_end(router, Waiting(fail))

    assert router.is_closed


def test_the_router_is_closed_once_all_is_done(router):
    """That is the end of the command."""
    assert run_to_the_end(router, Waiting(lambda _has_ended: True))
    assert router.is_closed


def test_who_is_closed_before_says_so(router):
    """Such as by a signal."""

    def close(has_ended):
        router.close()
        return not has_ended()

    assert not run_to_the_end(router, Waiting(close))


def test_what_stopped_the_router_is_raised(router):
    """Not that it has not come to its end."""

    def halt(_has_ended):
        router.fail(HaltedError("enough"))
        return False

    with pytest.raises(HaltedError):
        run_to_the_end(router, Waiting(halt))
