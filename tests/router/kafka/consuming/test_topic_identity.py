"""Whether a topic is still the same, with a broker that says what the test wants. No connection."""

import threading
import time

import pytest

from millstream.router import HaltedError
from millstream.router.kafka import KafkaSubscriberConfig
from millstream.router.kafka.consuming import topic_identity
from millstream.router.kafka.consuming.topic_identity import LOOK_SECONDS, SUSPICION_SECONDS, TopicIdentity
from millstream.router.testing import eventually
from tests.router.kafka.scripted_consumer import Listener, Loop, Place, handle, record

CONFIG = KafkaSubscriberConfig(brokers=["nowhere:1"], group_id="g")


class Ids:
    """Tells the ids that it is given, the last of them again and again; without one there is no answer at all."""

    def __init__(self, *ids):
        self.left = list(ids)
        self.questions = 0

    def count(self):
        """Return how often it was asked."""
        self.questions += 1
        self.found = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        return self.questions if self.found else 0

    def topic_id(self):
        """Return the next id."""
        return self.found


class SlowIds(Ids):
    """Tells each when the test lets it."""

    def __init__(self):
        super().__init__("one@here")
        self.may_count, self.may_tell = threading.Event(), threading.Event()

    def count(self):
        """Wait for it."""
        assert self.may_count.wait(60.0)
        return super().count()

    def topic_id(self):
        """Wait for it."""
        assert self.may_tell.wait(60.0)
        return super().topic_id()


def look(identity, now, epoch=0):
    """Let *identity* look, and take in the answer."""
    identity.look(now, epoch)
    assert eventually(lambda: identity._looker is None or not identity._looker.is_alive)
    identity.look(now, epoch)


def test_id_is_told_once_somebody_has_answered():
    """The first question is asked at the first look."""
    identity = TopicIdentity("t", CONFIG, Ids("one@here"))
    before = identity.topic_id
    look(identity, 100.0)

    assert (before, identity.topic_id) == ("", "one@here")


def test_other_id_halts_and_says_what_to_do():
    """The offsets of the old topic say nothing about the new one."""
    identity = TopicIdentity("t", CONFIG, Ids("one@here", "two@here"))
    look(identity, 100.0)

    with pytest.raises(HaltedError, match=r"'t' was deleted .*was one and is two.*--group g --topic t --reset"):
        look(identity, 100.0 + LOOK_SECONDS)


def test_commit_of_another_topic_halts():
    """Nobody was there when it was made anew: only the commit tells."""
    identity = TopicIdentity("t", CONFIG, Ids("two@here"))
    identity.expect(["", "two@here", "one@here"], 0.0)

    with pytest.raises(HaltedError, match="was one and is two"):
        look(identity, 100.0)


def test_first_answer_is_waited_for_at_an_assignment():
    """So that the first commit says of which topic it is, and nothing is handed on that stands at a wrong place."""
    ids = SlowIds()
    identity = TopicIdentity("t", CONFIG, ids)
    identity.look(100.0, 0)
    ids.may_count.set()
    threading.Timer(0.05, ids.may_tell.set).start()

    with pytest.raises(HaltedError, match="was two and is one"):
        identity.expect(["two@here"], time.monotonic() + 60.0)


def test_first_answer_is_not_waited_for_past_the_deadline():
    """The client is not polled meanwhile, and the comparison can wait."""
    ids = SlowIds()
    identity = TopicIdentity("t", CONFIG, ids)
    identity.look(100.0, 0)
    identity.expect(["two@here"], time.monotonic() + 0.01)
    noted = identity.topic_id
    ids.may_count.set()
    ids.may_tell.set()

    assert noted == "two@here"


def test_own_commits_do_not_make_that_of_another_topic_look_right():
    """Until both were compared they are of what the others are of."""
    identity = TopicIdentity("t", CONFIG, Ids("two@here"))
    identity.expect(["one@here"], 0.0)

    assert identity.topic_id == "one@here"


def test_commit_that_was_carried_over_from_another_cluster_is_gone_on_from():
    """A mirror has ids of its own, and translates the offsets."""
    identity = TopicIdentity("t", CONFIG, Ids("two@there"))
    identity.expect(["one@here"], 0.0)
    look(identity, 100.0)

    assert identity.topic_id == "two@there"


def test_nothing_is_compared_where_nobody_tells_ids():
    """Old brokers have none, and a right may be missing: what was noted stays noted."""
    identity = TopicIdentity("t", CONFIG, Ids("", "", "one@here"))
    identity.expect(["one@here"], 0.0)
    look(identity, 100.0)
    untold = identity.topic_id
    look(identity, 100.0 + LOOK_SECONDS)
    look(identity, 100.0 + 2 * LOOK_SECONDS)

    assert (untold, identity.topic_id) == ("one@here", "one@here")


@pytest.mark.parametrize(
    ("sign", "later", "questions"),
    [
        pytest.param("none", LOOK_SECONDS - 1.0, 1, id="no sign"),
        pytest.param("none", LOOK_SECONDS, 2, id="time has passed"),
        pytest.param("epoch", 0.0, 2, id="a new assignment, or a rewound log"),
        pytest.param("unknown", SUSPICION_SECONDS, 2, id="brokers do not know the topic"),
        pytest.param("unknown", SUSPICION_SECONDS / 2, 1, id="but they are not asked all the time"),
    ],
)
def test_id_is_asked_for_again_at_a_sign(sign, later, questions):
    """And now and then without one."""
    ids = Ids("one@here")
    identity = TopicIdentity("t", CONFIG, ids)
    look(identity, 100.0)
    if sign == "unknown":
        identity.suspect()
    look(identity, 100.0 + later, epoch=int(sign == "epoch"))

    assert ids.questions == questions


def test_asking_that_hangs_is_given_up(monkeypatch):
    """A client that has lost its brokers may never end: the next asking is another one, and its answer counts."""
    monkeypatch.setattr(topic_identity, "HANGING_SECONDS", 0.0)
    ids, stuck = SlowIds(), threading.Event()
    count, ids.count = ids.count, lambda: stuck.set() or count()
    identity = TopicIdentity("t", CONFIG, ids)
    identity.look(100.0, 0)
    assert stuck.wait(60.0)
    ids.count = lambda: 7
    ids.may_tell.set()
    counted = identity.count(time.monotonic() + 5.0)
    ids.may_count.set()

    assert counted == 7


def test_partitions_are_counted_anew():
    """What somebody said a while ago says nothing about a partition that was just added; an answer under way is waited for."""
    identity = TopicIdentity("t", CONFIG, Ids("one@here"))
    look(identity, 100.0)
    deadline = time.monotonic() + 60.0
    identity.look(200.0, 0)

    assert [identity.count(deadline), identity.count(deadline)] == [2, 2]
    look(identity, 200.0)
    assert identity.count(deadline) == 3


def test_partitions_are_asked_for_again_where_nobody_has_told_them():
    """Whoever needs to know goes on asking for a while."""
    identity = TopicIdentity("t", CONFIG, Ids("", "one@here"))
    deadline = time.monotonic() + 60.0

    assert [identity.count(deadline), identity.count(deadline)] == [0, 2]


def test_count_is_waited_for_until_the_deadline():
    """The client is not polled meanwhile. Nobody waits for the id: brokers without a controller leave that open for long."""
    ids = SlowIds()
    identity = TopicIdentity("t", CONFIG, ids)
    counts = [identity.count(time.monotonic() + 0.05)]
    ids.may_count.set()
    counts.append(identity.count(time.monotonic() + 60.0))
    ids.may_tell.set()

    assert counts == [0, 1]


def test_topic_that_was_made_anew_ends_the_loop():
    """Whoever reads it is told, also when it is only seen by the commits that the group has left."""
    loop = Loop(Listener())
    loop.ids.id = "two@here"
    loop.consumer.kept = {0: Place(0, 5, metadata="millstream topic=one@here")}

    def read():
        with loop:
            loop.consumer.call("assign", 0)
            assert eventually(lambda: not loop.is_alive)

    with pytest.raises(HaltedError, match="made anew"):
        read()


def test_commits_say_of_which_topic_they_are():
    """Whoever comes after a restart compares it."""
    loop = Loop(Listener())
    loop.ids.id = "one@here"
    with loop:
        loop.consumer.call("assign", 0)
        assert eventually(lambda: loop.identity.topic_id)
        loop.consumer.give(record(0))
        handle(*loop.receive(1))
        assert eventually(lambda: loop.consumer.notes)

    assert loop.consumer.notes == ["millstream topic=one@here"]
