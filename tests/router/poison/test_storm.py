"""When so much is set aside that a handler halts: limits, counts, and what the sink then holds."""

import threading
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.middleware import PoisonQueue
from millstream.router import (
    ConfigurationError,
    HaltedError,
    InMemoryConfig,
    InMemoryPubSub,
    Message,
    PermanentError,
    PoisonTopic,
    Router,
    RouterConfig,
    StormLimits,
    TransientError,
)
from millstream.router.poison.storm import StormGuard, Tally
from millstream.router.testing import FakeSubscriber, RecordingHandler, RecordingPublisher, eventually, running

GOOD, BAD = b"good", b"bad"


def refuse_bad(message):
    """Handle what is good."""
    if message.payload.startswith(BAD):
        raise PermanentError(f"no {message.payload.decode()}")


def halting(handler, *, poison=None, again_after=0.1, **limits):
    """Return a router that sets aside by *limits*, its subscriber and the publisher of its records."""
    subscriber, publisher = FakeSubscriber(), RecordingPublisher()
    router = Router(RouterConfig(nack_resend_delay=again_after, poison_limits=StormLimits(**limits)))
    sink = PoisonTopic(publisher, "dlq") if poison is None else poison
    router.add_consumer_handler("h", "t", subscriber, handler, poison=sink)
    return router, subscriber, publisher


def ended_by(router):
    """Wait until *router* has closed by itself, and return what it raises."""
    assert eventually(lambda: router.is_closed)
    with pytest.raises(HaltedError) as caught:
        router.wait_closed()
    return str(caught.value)


def numbered(kind, count):
    """Return *count* payloads of a kind, each another one."""
    return [b"%b %d" % (kind, number) for number in range(count)]


@pytest.mark.parametrize(
    ("outcomes", "storm_at"),
    [
        pytest.param("bbb", 3, id="the third in a row"),
        pytest.param("bbgbbgbb", None, id="a good one between begins anew"),
        pytest.param("g" * 7 + "bgb", 10, id="more than the share of the last ten"),
        pytest.param("bb" + "g" * 9 + "b", None, id="those before the last ten are forgotten"),
        pytest.param("bgbgb", None, id="the share is not judged before there were ten"),
        pytest.param("g" * 9 + "b", None, id="exactly the share is no storm"),
    ],
)
def test_outcomes_become_a_storm(outcomes, storm_at):
    """Of three in a row, or of more than a tenth of the last ten; the place of the one that makes it a storm is told."""
    tally = Tally(StormLimits(max_in_a_row=3, max_share=0.1, window=10))
    found = None
    for place, outcome in enumerate(outcomes, start=1):
        if outcome == "g":
            tally.add_good(1)
        elif tally.add_bad() is not None:
            found = place
            break

    assert found == storm_at


@given(st.lists(st.booleans(), max_size=80))
def test_tally_agrees_with_a_look_at_all_outcomes(outcomes):
    """Whatever came in whatever order, it says what counting the whole list would say."""
    limits = StormLimits(max_in_a_row=4, max_share=0.3, window=10)
    tally, seen = Tally(limits), []
    for is_bad in outcomes:
        seen.append(is_bad)
        if not is_bad:
            tally.add_good(1)
            continue
        is_row = len(seen) >= 4 and all(seen[-4:])
        is_share = len(seen) >= 10 and sum(seen[-10:]) > 3

        assert (tally.add_bad() is not None) == (is_row or is_share)


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        pytest.param({"max_in_a_row": 0}, "poison.max_in_a_row must be at least 1, not 0", id="none in a row"),
        pytest.param({"window": 0}, "poison.window must be at least 1, not 0", id="no window"),
        pytest.param({"max_share": 1.5}, "poison.max_share must be from 0 to 1, not 1.5", id="more than all"),
        pytest.param({"max_share": float("nan")}, "poison.max_share must be from 0 to 1, not nan", id="no number"),
    ],
)
def test_limits_are_checked(limits, named):
    """A limit that means nothing is an error that names it."""
    with pytest.raises(ConfigurationError) as caught:
        StormLimits(**limits)

    assert str(caught.value) == named


def test_defaults_are_those_of_the_design():
    """A thousand in a row, or more than a tenth of the last five thousand; on unless somebody says otherwise."""
    assert RouterConfig().poison_limits == StormLimits(enabled=True, max_in_a_row=1000, max_share=0.1, window=5000)


def test_owner_that_tells_what_it_has_done_is_judged_by_that():
    """However far the chain has run ahead: what is refused of its batches is refused in a row, or is not."""
    guard = StormGuard("h", StormLimits(max_in_a_row=3), begun=lambda: 1_000_000)
    batcher = []  # of no use as a key: owners are told apart by identity
    refusals = []
    for done in (0, 5, 0, 0):
        guard.count_done(batcher, done)
        refusals.append(guard.refuse(ValueError("no"), batcher))

    assert [each is None for each in refusals] == [True, True, True, False]


def test_nothing_but_bad_messages_halts_with_the_sink_at_its_limit():
    """The one that makes it a storm gets no record; what was set aside is committed, and it is the first that is not."""
    router, subscriber, publisher = halting(refuse_bad, max_in_a_row=10)
    router.start()
    bad = numbered(BAD, 500)
    subscriber.subscription.deliver(*bad)
    text = ended_by(router)

    assert [message.payload for message in publisher.messages("dlq")] == bad[:9]
    assert subscriber.subscription.committed() == 9
    assert text == (
        "handler 'h' halts: 10 messages in a row cannot be handled (poison.max_in_a_row); what is set aside is safe"
        " (millstream dlq list), the rest stays uncommitted: mend the cause, or raise the limit, and start again. The last:"
        " no bad 9"
    )


def test_too_large_a_share_halts():
    """Every second message, once the window is full: good ones between them do not hide it."""
    router, subscriber, publisher = halting(refuse_bad, max_share=0.1, window=100)
    router.start()
    subscriber.subscription.deliver(*numbered(GOOD, 90), *[each for _ in range(50) for each in (BAD, GOOD)])
    text = ended_by(router)

    assert "11 of the last 100 messages cannot be handled (poison.max_share)" in text
    assert len(publisher.messages("dlq")) == 10
    assert subscriber.subscription.committed() == 90 + 2 * 10


def test_a_share_within_the_limit_never_halts():
    """A tenth, for as long as it takes: in one chunk or in many, good messages count where they stand."""
    router, subscriber, publisher = halting(refuse_bad, max_in_a_row=2, max_share=0.1, window=20)
    with running(router):
        for _ in range(5):
            subscriber.subscription.deliver(*[each for _ in range(50) for each in (BAD, *[GOOD] * 9)])
        assert subscriber.subscription.wait_committed(2500)

    assert len(publisher.messages("dlq")) == 250


def test_what_waited_behind_a_message_counts_where_it_stands():
    """After an outage a backlog has been taken in and nothing of it handled: none of it is good before its turn."""
    tries, away = [], 3
    first = b"first"

    def handle(message):
        if message.payload == first and len(tries) < away:
            tries.append(message)
            raise TransientError("away")
        refuse_bad(message)

    router, subscriber, publisher = halting(handle, max_in_a_row=2, max_share=0.1, window=20, again_after=0.0)
    with running(router):
        subscriber.subscription.deliver(first, *[each for _ in range(50) for each in (BAD, *[GOOD] * 9)])
        assert subscriber.subscription.wait_committed(501)

    assert (len(tries), len(publisher.messages("dlq"))) == (away, 50)


def test_limits_can_be_switched_off():
    """Then everything is set aside, however much it is."""
    router, subscriber, publisher = halting(refuse_bad, enabled=False, max_in_a_row=1)
    with running(router):
        subscriber.subscription.deliver(*numbered(BAD, 50))
        assert subscriber.subscription.wait_committed(50)

    assert len(publisher.messages("dlq")) == 50


def test_dropping_everything_halts_as_well():
    """`"drop"` is for single messages: a topic of nothing else is not emptied into nowhere."""
    router, subscriber, _ = halting(refuse_bad, poison="drop", max_in_a_row=5)
    router.start()
    subscriber.subscription.deliver(*numbered(BAD, 50))
    ended_by(router)

    assert subscriber.subscription.committed() == 4


@pytest.mark.slow
def test_records_that_are_not_confirmed_count():
    """A sink that is slow gets no more than one that is fast: what is on its way to it counts when it comes."""
    router, subscriber, publisher = halting(refuse_bad, max_in_a_row=10)
    publisher.break_down(PermanentError("no broker"))
    router.start()
    subscriber.subscription.deliver(*numbered(BAD, 100))
    assert eventually(lambda: not router.is_running)
    publisher.recover()
    ended_by(router)

    assert len(publisher.messages("dlq")) == 9


def test_failed_holds_count_like_errors_of_the_chain():
    """What was acked and failed later, by a hold of the user's own: among all that the chain has begun with."""
    held = []
    router, subscriber, publisher = halting(lambda message: held.append(message.hold(held)), max_in_a_row=3)
    router.start()
    subscriber.subscription.deliver(*numbered(BAD, 20))
    assert eventually(lambda: len(held) == 20 and all(each.message.is_acked for each in held))
    for hold in held:
        hold.fail(ValueError("too late"))
    text = ended_by(router)

    assert "The last: too late" in text
    assert len(publisher.messages("dlq")) == 2
    assert subscriber.subscription.committed() == 2


def test_storm_that_a_middleware_swallows_commits_nothing_and_halts_all_the_same():
    """Somebody's `except Exception` outside the sink hides it from the runner; the message has no record, so it never settles."""

    def swallow(next_handler):
        def handle(message):
            try:
                return next_handler(message)
            except HaltedError:
                return None

        return handle

    router, subscriber, publisher = halting(refuse_bad, max_in_a_row=3)
    router.add_middleware(swallow, PoisonQueue())
    router.start()
    subscriber.subscription.deliver(*numbered(BAD, 10))
    ended_by(router)

    assert len(publisher.messages("dlq")) == 2
    assert subscriber.subscription.committed() == 2


def test_restart_poisons_none_twice_and_goes_on_with_the_first_that_was_not():
    """The next router of the group begins where the last one halted, and counts anew."""
    broker, poisoned = InMemoryPubSub(InMemoryConfig(persistent=True)), []
    bad = numbered(BAD, 25)
    broker.publish("t", *map(Message, bad))
    for _ in range(2):
        publisher, router = RecordingPublisher(), Router(RouterConfig(poison_limits=StormLimits(max_in_a_row=10)))
        router.add_consumer_handler("h", "t", broker.group("g"), refuse_bad, poison=PoisonTopic(publisher, "dlq"))
        router.start()
        ended_by(router)
        poisoned += [message.payload for message in publisher.messages("dlq")]

    assert poisoned == bad[:18]


def test_messages_that_were_delivered_again_in_vain_are_a_row():
    """What waits behind a message that is tried again makes no row shorter, though it was taken up."""
    handler = RecordingHandler([ValueError("bad")] * 100)
    subscriber, publisher = FakeSubscriber(), RecordingPublisher()
    config = RouterConfig(nack_resend_delay=0.0, max_redeliveries=1, poison_limits=StormLimits(max_in_a_row=5))
    router = Router(config)
    router.add_consumer_handler("h", "t", subscriber, handler, poison=PoisonTopic(publisher, "dlq"))
    router.start()
    subscriber.subscription.deliver(*numbered(BAD, 50))
    ended_by(router)

    assert len(publisher.messages("dlq")) == 4
    assert subscriber.subscription.committed() == 4


def test_what_another_thread_has_in_hand_makes_no_row_shorter():
    """With `concurrency` it is no good message before its chain has ended: it may be as bad as the others."""
    slow, quick = (
        next(b"%d" % number for number in range(20) if zlib.crc32(b"%d" % number) % 2 == each) for each in (0, 1)
    )
    is_slow, go_on = threading.Event(), threading.Event()

    def refuse(message):
        if message.payload == b"slow":
            is_slow.set()
            assert go_on.wait(10)
        raise PermanentError("bad")

    subscriber, publisher = FakeSubscriber(), RecordingPublisher()
    router = Router(RouterConfig(poison_limits=StormLimits(max_in_a_row=10)))
    router.add_consumer_handler("h", "t", subscriber, refuse, poison=PoisonTopic(publisher, "dlq"), concurrency=2)
    router.start()
    subscription = subscriber.subscription
    subscription.deliver(*[b"bad"] * 5, key=quick)
    assert eventually(lambda: len(publisher.messages("dlq")) == 5)
    subscription.deliver(b"slow", key=slow)
    assert is_slow.wait(10)
    subscription.deliver(*[b"bad"] * 50, key=quick)
    assert eventually(lambda: len(publisher.messages("dlq")) >= 9)
    go_on.set()
    ended_by(router)

    assert len(publisher.messages("dlq")) == 9


def test_several_threads_halt_together():
    """With `concurrency` each thread has a message in hand when another one counts: nothing past the limit is written."""
    subscriber, publisher = FakeSubscriber(), RecordingPublisher()
    router = Router(RouterConfig(poison_limits=StormLimits(max_in_a_row=50)))
    sink = PoisonTopic(publisher, "dlq")
    router.add_consumer_handler("h", "t", subscriber, refuse_bad, poison=sink, concurrency=4)
    router.start()
    for number in range(400):
        subscriber.subscription.deliver(b"bad %d" % number, key=b"%d" % (number % 20))
    ended_by(router)

    assert len(publisher.messages("dlq")) == 49
