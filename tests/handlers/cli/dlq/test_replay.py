"""Going through poison records: what is sent, what is left, and what the next replay finds."""

import contextlib

import pytest

from millstream.handlers.cli.dlq.filters import Filter
from millstream.handlers.cli.dlq.replay import Pace, Replay
from millstream.handlers.cli.dlq.sending_back import Left, Rules
from millstream.router import Message
from millstream.router.poison.record import cut
from millstream.router.testing import ManualClock
from tests.handlers.cli.dlq.poison_aids import MISSING, REFUSED, poisoned
from tests.handlers.cli.dlq.replay_aids import FakeSource, Killed

IDS = [str(number) for number in range(10)]


def source_of(*ids, **options):
    """Return a source with a record for each id: every third one has another reason than the rest."""
    return FakeSource([poisoned(each, "events", REFUSED if int(each) % 3 == 0 else MISSING) for each in ids], **options)


ALL = Filter()


def replay(source, wanted=ALL, **options):
    """Walk through *source* once, in chunks of four, as a replay does."""
    pace = Pace(None)
    pace.chunk_messages = 4
    made = Replay(wanted, options.pop("rules", Rules()), pace=pace, **options)
    made.walk(source, source)
    return made


def test_everything_is_sent_once_and_a_second_run_sends_nothing():
    """In order, and in chunks."""
    source = source_of(*IDS)
    first, second = replay(source), replay(source)

    assert source.sent == [("events", each) for each in IDS]
    assert source.chunks == [4, 4, 2]
    assert (first.sent, second.sent.total()) == ({("dlq", "events"): 10}, 0)


def test_what_a_filter_passes_over_is_left_for_the_next_one():
    """Each record goes once, whichever replay it was that wanted it."""
    source = source_of(*IDS)
    counts = [replay(source, wanted).sent.total() for wanted in (Filter(reason="refused"), Filter(), Filter())]

    assert counts == [4, 6, 0]
    assert sorted(uuid for _, uuid in source.sent) == IDS


@pytest.mark.parametrize("chunks", [0, 1, 2])
@pytest.mark.parametrize("wanted", [Filter(), Filter(reason="missing")], ids=["all", "filtered"])
def test_a_replay_that_is_killed_is_taken_up_where_it_was(chunks, wanted):
    """What was confirmed is noted, and nothing else."""
    source = source_of(*IDS, dies_after=chunks)
    with contextlib.suppress(Killed):
        replay(source, wanted)
    source.dies_after = None
    replay(source, wanted)
    replay(source)

    assert sorted(uuid for _, uuid in source.sent) == IDS


def test_no_more_is_sent_than_was_asked_for():
    """The next replay goes on behind it."""
    source = source_of(*IDS)
    replay(source, limit=3)
    replay(source, limit=2)

    assert [uuid for _, uuid in source.sent] == IDS[:5]


def test_without_an_outbox_it_only_counts():
    """A dry run sends nothing and notes nothing."""
    source = source_of(*IDS)
    plan = Replay(Filter(), Rules())
    plan.walk(source, None)

    assert plan.sent == {("dlq", "events"): 10}
    assert (source.sent, source.ledger.position) == ([], 0)


def test_what_is_left_is_counted_with_its_places_and_can_go_later():
    """What no topic is known of goes once one is given; what was sent back too often once more is allowed."""
    messages = [
        Message(b"x", uuid="foreign"),
        poisoned("often", "events", replays_poisoned="3"),
        poisoned("1", "events"),
    ]
    source = FakeSource(messages)
    first = replay(source)
    second = replay(source, rules=Rules(to="events", max_replays=4))

    assert first.left == {Left.NO_TOPIC: 1, Left.REPLAYED: 1}
    assert first.places == {Left.NO_TOPIC: ["dlq[-1]@0"], Left.REPLAYED: ["dlq[-1]@1"]}
    assert [uuid for _, uuid in source.sent] == ["1", "foreign", "often"]
    assert not second.left


def test_what_is_cut_is_told_once_and_is_in_nobodys_way():
    """It can never go: left unnoted, a topic full of such would have no room for notes some day."""
    source = FakeSource([cut(poisoned("0", "events")), poisoned("1", "events"), cut(poisoned("2", "events"))])
    first, second = replay(source), replay(source)

    assert (first.left, second.left) == ({Left.CUT: 2}, {})
    assert (source.ledger.position, source.sent) == (3, [("events", "1")])


def test_what_a_topic_does_not_take_holds_up_nobody():
    """It is found by halves, and stays; the next replay tries it again."""
    source = source_of(*IDS, refused={"3", "6"})
    first = replay(source)
    source.refused.clear()
    replay(source)

    assert first.left == {Left.REFUSED: 2}
    assert first.reasons == ["too large", "too large"]
    assert [uuid for _, uuid in source.sent] == ["0", "1", "2", "4", "5", "7", "8", "9", "3", "6"]


def test_offsets_without_a_record_are_noted_with_the_one_behind_them():
    """As a compacted topic has them, and one that is written in transactions; what is passed over before them is not."""
    source = FakeSource([None, poisoned("1", "events"), None, None, poisoned("4", "events"), poisoned("5", "events")])
    replay(source, Filter(uuid="4"))

    assert (source.ledger.position, source.ledger.runs) == (0, [(2, 5)])


def test_nothing_more_is_sent_once_it_is_stopped():
    """What is not sent is not noted either."""
    source = source_of(*IDS)
    stopped = replay(source, is_stopped=lambda: bool(source.chunks))

    assert (source.chunks, source.ledger.position, stopped.sent.total()) == ([4], 4, 4)


@pytest.mark.parametrize(("rate", "chunk"), [(None, 1000), (0.5, 1), (10, 1), (500, 50), (1e9, 1000)])
def test_a_rate_makes_chunks_of_a_tenth_of_a_second(rate, chunk):
    """Messages come evenly then; without one they come in large chunks."""
    assert Pace(rate).chunk_messages == chunk


def test_a_rate_is_kept():
    """Hundred messages at ten a second take ten seconds; a signal ends the wait."""
    clock = ManualClock()
    pace = Pace(10, clock, clock.advance)
    for _ in range(25):
        pace.take(4, lambda: False)
    took = clock.now()
    pace.take(1000, lambda: clock.now() > took + 1)

    assert took == pytest.approx(9.9)
    assert clock.now() == pytest.approx(took + 1, abs=0.2)
