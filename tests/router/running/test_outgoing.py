"""What a handler has produced: published before its message settles, and never twice by us."""

import pytest

from millstream.router import REDELIVER, HaltedError, Message, PublishError, Router, RouterConfig, StateError
from millstream.router.testing import FakeSubscriber, RecordingHandler, RecordingPublisher, eventually, running

AT_ONCE = RouterConfig(nack_resend_delay=0.0, max_redeliveries=2)


class Sink:
    """Keeps the records of poisoned messages."""

    def __init__(self):
        self.records = []

    def write(self, messages):
        """Keep *messages*."""
        self.records.extend(messages)

    def close(self):
        """Nothing is held."""

    @property
    def reasons(self):
        """Why they are here."""
        return [record.metadata["reason_poisoned"] for record in self.records]


def producing(handler, publisher, *, sink=REDELIVER):
    """Return a router whose handler publishes to "out", and its subscriber."""
    subscriber, router = FakeSubscriber(), Router(AT_ONCE)
    router.add_handler("h", "t", subscriber, "out", publisher, handler, poison=sink)
    return router, subscriber


def three(message):
    """Produce three messages, named by what they were made of."""
    return [Message(message.payload + b"-%d" % number, uuid=str(number)) for number in range(3)]


def refusing(failures, *, positions=(), refused=()):
    """Return the error of a call that lost *failures*."""
    error = PublishError("out", dict.fromkeys(failures, "no"), refused)
    error.positions = dict.fromkeys(positions, "no")
    return error


def payloads(publisher):
    """Return what each call that went through has published."""
    return [[message.payload for message in messages] for _, messages in publisher.calls]


@pytest.mark.parametrize(
    ("error", "rest"),
    [
        (refusing(["1"]), [b"x-1"]),
        (refusing(["0", "2"]), [b"x-0", b"x-2"]),
        (refusing(["2"], positions=[2]), [b"x-2"]),
        (refusing(["unknown to us"]), [b"x-0", b"x-1", b"x-2"]),
        (refusing(["1"], positions=[0]), [b"x-1"]),
        (refusing(["unknown to us"], positions=[7], refused=[7]), [b"x-0", b"x-1", b"x-2"]),
        (OSError("of a publisher of the user's own"), [b"x-0", b"x-1", b"x-2"]),
    ],
    ids=[
        "by uuid",
        "several",
        "by place",
        "nothing tells which",
        "places of another call, as a decorator has dropped one",
        "places beyond ours, as a decorator has added some",
        "not a PublishError",
    ],
)
def test_only_what_was_not_confirmed_is_published_again_and_the_handler_is_not_asked_again(error, rest):
    """Three messages were produced; those that got out stay out."""
    publisher, handler = RecordingPublisher([error]), RecordingHandler(answer=three)
    router, subscriber = producing(handler, publisher)

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert handler.payloads == [b"x"]
    assert payloads(publisher) == [rest]


def test_each_try_leaves_less_to_publish():
    """The places of a second failure are those of the second call."""
    publisher = RecordingPublisher([refusing(["1", "2"], positions=[1, 2]), refusing(["2"], positions=[1])])
    router, subscriber = producing(RecordingHandler(answer=three), publisher)

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert payloads(publisher) == [[b"x-2"]]


def test_output_that_is_refused_for_good_poisons_its_message_at_once():
    """Trying again would send the good ones again and be refused again."""
    publisher, sink = RecordingPublisher([refusing(["1"], refused=[1])]), Sink()
    handler = RecordingHandler(answer=three)
    router, subscriber = producing(handler, publisher, sink=sink)

    with running(router):
        subscriber.subscription.deliver(b"x", b"y")
        assert subscriber.subscription.wait_committed(2)

    assert handler.payloads == [b"x", b"y"]
    assert publisher.attempts == 2
    assert [record.payload for record in sink.records] == [b"x"]
    assert sink.reasons == ["what was produced of it cannot be published: 1 message was not published to 'out'; 1: no"]


def test_what_was_confirmed_is_not_sent_again_where_no_sink_takes_the_message():
    """It is delivered again without end, as without a sink everything is; only what is refused is tried then."""
    publisher = RecordingPublisher([refusing(["1"], refused=[1]), refusing(["1"], refused=[0])])
    handler = RecordingHandler(answer=three)
    router, subscriber = producing(handler, publisher)

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert handler.payloads == [b"x"]
    assert payloads(publisher) == [[b"x-1"]]


def test_message_that_its_handler_returns_is_published_as_it_has_left_it():
    """A redelivery starts from the payload that came, but not where only the output is left to publish."""

    def answer(message):
        message.payload = b"out"
        return [message]

    publisher = RecordingPublisher([refusing(["other"])])
    router, subscriber = producing(RecordingHandler(answer=answer), publisher)

    with running(router):
        subscriber.subscription.deliver(b"raw")
        assert subscriber.subscription.wait_committed(1)

    assert payloads(publisher) == [[b"out"]]


@pytest.mark.parametrize(
    "error", [refusing(["0", "1", "2"]), OSError("away")], ids=["PublishError", "of the user's own"]
)
def test_publisher_that_is_away_poisons_nothing_however_often_it_is_tried(error):
    """An outage of the target is not the message's fault: past `max_redeliveries` it is still tried."""
    publisher, sink = RecordingPublisher([error] * 12), Sink()
    router, subscriber = producing(RecordingHandler(answer=three), publisher, sink=sink)

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert sink.records == []
    assert payloads(publisher) == [[b"x-0", b"x-1", b"x-2"]]


def test_nack_asks_for_the_handler_again_also_when_its_output_was_not_published():
    """The handler has said that it is not done: what it produced then is not what counts."""
    answers = iter([Message.nack, Message.ack])

    def answer(message):
        next(answers)(message)
        return three(message)

    handler, publisher = RecordingHandler(answer=answer), RecordingPublisher([refusing(["1"])])
    router, subscriber = producing(handler, publisher)

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert handler.payloads == [b"x", b"x"]
    assert payloads(publisher) == [[b"x-0", b"x-1", b"x-2"]]


@pytest.mark.parametrize("is_shared", [True, False], ids=["publisher closed by another", "no publisher"])
def test_error_of_our_own_plumbing_halts_and_blames_no_message(is_shared):
    """Neither a closed publisher nor a missing one is a reason to set good messages aside."""
    publisher, sink, subscriber, router = RecordingPublisher(), Sink(), FakeSubscriber(), Router(AT_ONCE)
    if is_shared:
        publisher.close()
        router.add_handler("h", "t", subscriber, "out", publisher, RecordingHandler(answer=three), poison=sink)
    else:
        router.add_consumer_handler("h", "t", subscriber, RecordingHandler(answer=three), poison=sink)

    router.start()
    subscriber.subscription.deliver(b"x", b"y")
    assert eventually(lambda: router.is_closed)

    error, reason = (StateError, "closed") if is_shared else (HaltedError, "has no publisher: use Router.add_handler")
    with pytest.raises(error, match=reason):
        router.close()
    assert sink.records == []
    assert subscriber.subscription.committed() == 0
