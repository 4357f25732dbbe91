"""When a client counts as stalled: by what librdkafka says of its brokers, and by who gets an answer and who does not."""

import json
import threading

import pytest
from confluent_kafka import KafkaError, KafkaException

from millstream.router import ConfigurationError
from millstream.router.kafka.stall import (
    HANGING_SECONDS,
    PATIENCE_SECONDS,
    STATISTICS_SECONDS,
    TRYING_SECONDS,
    StallWatch,
)
from millstream.router.testing import eventually

UP = {"127.0.0.1:9092/1": ("learned", "UP")}
CUT_OFF = [
    pytest.param({}, id="none"),
    pytest.param({"GroupCoordinator": ("logical", "UP")}, id="coordinator only"),
    pytest.param(
        {"127.0.0.1:9092/1": ("learned", "INIT"), "b:9092/bootstrap": ("configured", "TRY_CONNECT")}, id="not up"
    ),
]


class Client:
    """Answers, or does not."""

    def __init__(self):
        self.has_answer = True
        self.asked = 0

    def list_topics(self, topic, timeout):
        """Answer."""
        self.asked += 1
        if not self.has_answer:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))


class Case:
    """A watch, the client it is for, and the other that it asks with."""

    def __init__(self):
        self.client, self.other = Client(), Client()
        self.client.has_answer = False
        self.refusals = 0
        """How many of the next others cannot be opened."""
        self.watch = StallWatch(self._open)
        self.say({})

    def _open(self):
        if self.refusals:
            self.refusals -= 1
            raise ConfigurationError("no token")
        return self.other

    def say(self, brokers):
        """Report *brokers*."""
        listed = {name: {"source": source, "state": state, "txbytes": 1} for name, (source, state) in brokers.items()}
        self.watch.on_statistics(json.dumps({"name": "c", "brokers": listed, "topics": {}}))

    def look(self, now):
        """Let the watch ask the other, and then our client if the other had an answer; returns what it says."""
        assert not self.watch.is_stalled(self.client, now)  # begins to ask the other
        assert self.watch._probe is not None
        assert eventually(lambda: self.watch._probe.is_over, 10.0)
        return self.watch.is_stalled(self.client, now)

    def looks(self, start, end):
        """Look as often as the statistics come, from *start* until before *end*; returns all answers."""
        count = round((end - start) / STATISTICS_SECONDS)
        return [self.look(start + number * STATISTICS_SECONDS) for number in range(count)]


@pytest.fixture
def case():
    """A client that is cut off and has no answer, where others have one."""
    return Case()


@pytest.mark.parametrize("brokers", CUT_OFF)
def test_client_without_a_connected_broker_is_cut_off(case, brokers):
    """The coordinator of its group leads it to nobody."""
    case.say(UP)
    before = case.watch.is_cut_off
    case.say(brokers)

    assert (before, case.watch.is_cut_off) == (False, True)


def test_statistics_that_are_no_json_change_nothing(case):
    """As a client id with a quote in it makes them."""
    case.watch.on_statistics('{"client_id": "a"b"}')

    assert case.watch.is_cut_off


def test_client_is_stalled_after_failing_for_long_where_others_succeed(case):
    """Not before that: librdkafka waits up to ten seconds between its attempts to connect."""
    assert case.looks(0.0, PATIENCE_SECONDS) == [False] * 5
    assert case.look(PATIENCE_SECONDS)


def test_client_that_is_connecting_is_given_longer(case):
    """Where packets were dropped, that takes its time."""
    case.say({"b:9092/bootstrap": ("configured", "CONNECT")})

    assert not any(case.looks(0.0, TRYING_SECONDS))
    assert case.look(TRYING_SECONDS + STATISTICS_SECONDS)


def test_nobody_is_stalled_where_nobody_has_an_answer(case):
    """The brokers are away: a new client would be no better."""
    case.other.has_answer = False

    assert not any(case.looks(0.0, 3 * PATIENCE_SECONDS))
    assert case.client.asked == 0


def test_client_that_answers_is_not_stalled(case):
    """Its connection was closed because nobody needed it."""
    case.client.has_answer = True

    assert not any(case.looks(0.0, 3 * PATIENCE_SECONDS))


@pytest.mark.parametrize("relief", ["connected", "answered", "nobody has an answer", "nothing to do"])
def test_failing_is_counted_anew_after_a_relief(case, relief):
    """An earlier trouble says nothing about this one."""
    assert not case.look(0.0)
    if relief == "connected":
        case.say(UP)
        case.say({})
    elif relief == "nothing to do":
        case.watch.forget()
    else:
        client = case.client if relief == "answered" else case.other
        client.has_answer = not client.has_answer
        assert not case.look(STATISTICS_SECONDS)
        client.has_answer = not client.has_answer

    assert not any(case.looks(2 * STATISTICS_SECONDS, 2 * STATISTICS_SECONDS + PATIENCE_SECONDS))
    assert case.look(2 * STATISTICS_SECONDS + PATIENCE_SECONDS)


def test_others_are_asked_as_often_as_statistics_come(case):
    """Not at each poll: each asking is a connection."""
    case.look(0.0)
    assert not case.watch.is_stalled(case.client, STATISTICS_SECONDS / 2)

    assert case.watch._probe is None
    assert case.other.asked == 1


def test_other_that_cannot_be_opened_tells_nothing(case):
    """A token provider fails: the client is kept, and the next look asks again."""
    case.refusals = 1

    assert not case.look(0.0)
    assert case.client.asked == 0
    assert not any(case.looks(STATISTICS_SECONDS, STATISTICS_SECONDS + PATIENCE_SECONDS))
    assert case.look(STATISTICS_SECONDS + PATIENCE_SECONDS)


def test_asking_that_hangs_is_given_up(case):
    """Else nobody would ever ask again."""
    may_end = threading.Event()
    case.other.list_topics = lambda *_: may_end.wait()
    assert not case.watch.is_stalled(case.client, 0.0)
    case.other = Client()
    given_up = [case.watch.is_stalled(case.client, now) for now in (HANGING_SECONDS / 2, HANGING_SECONDS)]
    start = HANGING_SECONDS + STATISTICS_SECONDS
    answers = case.looks(start, start + PATIENCE_SECONDS)
    may_end.set()

    assert not any(given_up + answers)
    assert case.look(start + PATIENCE_SECONDS)
