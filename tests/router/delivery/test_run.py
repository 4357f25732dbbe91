"""A run of messages settles as one, until it is cut or divided; what its pieces do is then what counts."""

import threading

import pytest
from loguru import logger

from millstream.router import Message, OffsetBook, StateError
from millstream.router.delivery.offset_book import MAX_PENDING
from millstream.router.delivery.revoke_wait import USER_HOLD_SECONDS, RevokeWait
from millstream.router.delivery.route import Route
from millstream.router.delivery.run import MessageRun, first_offset, messages_of
from millstream.router.delivery.settlement import ACKED, DIVIDED, NACKED, Delivery
from millstream.router.delivery.standstill import StandstillWatch, keeper_of
from millstream.router.testing import FakeWorker
from tests.router.delivery.model.stand_ins import StepSink, delivered, delivered_run, handle, routed, take

OWNER = FakeWorker("batcher")


def book_of(*counts, sink=None, max_pending=MAX_PENDING):
    """Return a book with runs of as many messages as *counts* say, one behind the other, and the runs."""
    assignment = routed(sink)
    assignment.route = Route("h", "t", "S", sink=sink, workers=[OWNER])
    book = OffsetBook(assignment, max_pending=max_pending)
    runs = []
    for count in counts:
        runs.append(delivered_run(assignment, book.newest + 1, count))
        assert book.append_run(runs[-1])
    return book, runs


def committed(book):
    """Return how many messages settle now, what may be committed then, and what is left."""
    return book.advance(), book.next_offset, book.pending


def test_run_settles_as_one():
    """Nothing of it is committed before it is settled, then the offset after its last message."""
    book, (first, second) = book_of(3, 2)
    take(second)
    early = committed(book)
    take(first)

    assert early == (0, None, 5)
    assert committed(book) == (5, 5, 0)
    assert book.settled == 5


def test_run_whose_handler_has_not_returned_is_not_settled():
    """An end that others have spoken early does not count."""
    book, (run,) = book_of(3)
    run.delivery.begin()
    run.delivery.ack()
    early = committed(book)
    run.finish()

    assert early == (0, None, 3)
    assert committed(book) == (3, 3, 0)


def test_held_run_is_committed_with_its_release():
    """What a worker has is not done."""
    book, (run,) = book_of(3)
    take(run, OWNER)
    early = committed(book)
    run.delivery.release(OWNER)

    assert early == (0, None, 3)
    assert committed(book) == (3, 3, 0)


def test_every_message_of_a_run_counts_against_the_bound():
    """Runs and messages between them are counted alike."""
    book, (run,) = book_of(3, max_pending=5)
    before = (book.pending, book.room, book.is_full)
    book.extend(delivered(book.assignment, [3, 4]))
    full = (book.pending, book.room, book.is_full)
    take(run)
    book.advance()

    assert before == (3, 2, False)
    assert full == (5, 0, True)
    assert (book.pending, book.room, book.is_full) == (2, 3, False)


def test_run_below_the_newest_is_refused():
    """The log was rewound: the book stays as it is."""
    book, _ = book_of(3)

    assert not book.append_run(delivered_run(book.assignment, 2, 3))
    assert (book.pending, book.newest) == (3, 2)


def test_first_piece_that_settles_alone_is_committed():
    """Up to its last message; the other piece keeps its own place, before what came behind the run."""
    book, (run, behind) = book_of(5, 2)
    take(run, OWNER)
    take(behind)
    head, tail = run.cut(2)
    head.delivery.release(OWNER)
    early = committed(book)
    tail.delivery.release(OWNER)

    assert early == (2, 2, 5)
    assert committed(book) == (5, 7, 0)


def test_second_piece_waits_for_the_first():
    """The pieces stand in order."""
    book, (run,) = book_of(5)
    take(run, OWNER)
    head, tail = run.cut(2)
    tail.delivery.release(OWNER)
    early = committed(book)
    head.delivery.release(OWNER)

    assert early == (0, None, 5)
    assert committed(book) == (5, 5, 0)


def test_pieces_of_pieces_are_committed_in_order():
    """A run may be cut again and again, and one of its pieces divided."""
    book, (run,) = book_of(6)
    take(run, OWNER)
    head, rest = run.cut(1)
    middle, tail = rest.cut(3)
    messages = middle.divide()
    for each in (head, messages[0], messages[2], tail):
        each.delivery.release(OWNER)
    early = committed(book)
    messages[1].delivery.release(OWNER)

    assert [message.offset for message in messages] == [1, 2, 3]
    assert early == (2, 2, 4)
    assert committed(book) == (4, 6, 0)


def test_one_message_of_a_divided_run_holds_the_commit_back():
    """The others are released, and wait behind it."""
    book, (run,) = book_of(4)
    take(run, OWNER)
    messages = run.divide()
    for message in messages[:1] + messages[2:]:
        message.delivery.release(OWNER)
    early = committed(book)
    messages[1].delivery.release(OWNER)

    assert early == (1, 1, 3)
    assert committed(book) == (3, 4, 0)


def test_failed_message_in_the_middle_of_a_run_holds_the_commit_until_its_record_is_safe():
    """It alone goes to the sink."""
    sink = StepSink()
    book, (run,) = book_of(4, sink=sink)
    take(run, OWNER)
    messages = run.divide()
    messages[2].fail(ValueError("no such customer"), OWNER)
    for message in messages[:2] + messages[3:]:
        message.delivery.release(OWNER)
    early = committed(book)
    sink.write()

    assert early == (2, 2, 2)
    assert committed(book) == (2, 4, 0)
    assert [message.offset for message, _ in sink.records] == [2]


@pytest.mark.parametrize("part", ["cut", "divided"])
@pytest.mark.parametrize("state", ["new", "running", "held while it runs", "held", "done"])
def test_pieces_begin_as_the_run_stood(part, state):
    """Chain, verdict and hold are those of the run."""
    _, (run,) = book_of(3)
    if state != "new":
        run.delivery.begin()
    if "held" in state:
        run.hold(OWNER)
    if state in ("held", "done"):
        run.finish()
    seen = [(each.chain, each.verdict, each.owner, each.is_open) for each in [run.delivery]]
    pieces = run.cut(1) if part == "cut" else run.divide()

    assert {(each.chain, each.verdict, each.owner, each.is_open) for each in (p.delivery for p in pieces)} == {*seen}
    assert len({id(piece.delivery) for piece in pieces}) == len(pieces)


def test_run_that_gave_way_is_never_settled():
    """Whoever still knows it cannot say anything of its pieces: neither a release nor an ack."""
    book, (run,) = book_of(3)
    take(run, OWNER)
    run.divide()
    run.delivery.release(OWNER)

    assert not run.delivery.is_settled
    assert committed(book) == (0, None, 3)


class Watched(MessageRun, gc=False, eq=False, kw_only=True):
    """A run whose delivery is looked at whenever something of it is written."""

    def _give_way_to(self, pieces):
        self.delivery = Looking.of(self)
        super()._give_way_to(pieces)


class Looking(Delivery, gc=False, eq=False, kw_only=True):
    """A delivery whose book is advanced, and asked for what is oldest, after each write to it."""

    @classmethod
    def of(cls, run):
        """Return one that stands as that of *run*."""
        said = run.delivery
        return cls(chain=said.chain, verdict=said.verdict, owner=said.owner, part=said.part, is_open=said.is_open)

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        BOOKS[-1].advance()
        SEEN.append((BOOKS[-1].next_offset, BOOKS[-1].pending, first_offset(BOOKS[-1].oldest)))


BOOKS, SEEN = [], []


@pytest.mark.parametrize("part", ["cut", "divided"])
def test_run_that_is_divided_while_held_is_never_settled_meanwhile(part):
    """Wherever the book's thread looks in between, it finds the run, or all of its pieces."""
    SEEN.clear()
    assignment = routed()
    run = Watched([b"0", b"1", b"2"], assignment, 0, 2)
    BOOKS[:] = [OffsetBook(assignment)]
    BOOKS[0].append_run(run)
    take(run, OWNER)
    pieces = run.cut(1) if part == "cut" else run.divide()
    pieces[0].delivery.release(OWNER)

    assert SEEN == [(None, 3, 0)] * 2
    assert committed(BOOKS[0]) == (1, 1, 2)


def test_run_says_that_it_is_divided_last():
    """Who sees that finds the pieces, and no verdict that would settle it before."""
    written = []

    class Told(Delivery, gc=False, eq=False, kw_only=True):
        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            written.append((name, value, len(run.pieces)))

    run = delivered_run(routed(), 0, 2)
    run.delivery = Told(verdict=ACKED)
    run.divide()

    assert written[-1] == ("chain", DIVIDED, 2)
    assert written[0] == ("verdict", 0, 2)


@pytest.mark.parametrize("part", ["cut", "divided", "cut and divided"])
def test_pieces_that_a_worker_makes_before_the_handler_returns_hear_of_its_end(part):
    """A batch may end, or fail, while the handler that has added the run is still on its way back."""
    book, (run,) = book_of(4)
    run.delivery.begin()
    run.hold(OWNER)
    pieces = run.divide() if part == "divided" else run.cut(2)
    if part == "cut and divided":
        pieces = [pieces[0], *pieces[1].divide()]
    for piece in pieces:
        piece.delivery.release(OWNER)
    early = committed(book)
    run.finish()

    assert early == (0, None, 4)
    assert committed(book) == (4, 4, 0)


def test_no_piece_misses_the_end_of_the_chain():
    """The worker's thread and the handler's, a thousand times at once."""
    book, runs = book_of(*[3] * 1000)
    for run in runs:
        run.delivery.begin()
        run.hold(OWNER)

    def work():
        for run in runs:
            head, tail = run.cut(1)
            for piece in (head, *tail.divide()):
                piece.delivery.release(OWNER)

    worker = threading.Thread(target=work)
    worker.start()
    for run in runs:
        run.finish()
    worker.join(10)

    assert committed(book) == (3000, 3000, 0)


def test_refused_run_is_begun_anew_message_by_message():
    """Its handler has not taken it: nobody has begun."""
    book, (run,) = book_of(3)
    run.delivery.begin()
    assert run.refuse()
    is_started = run.delivery.is_started
    messages = run.divide()
    handle(*messages)

    assert not is_started
    assert committed(book) == (3, 3, 0)


def test_run_that_was_cut_and_then_refused_is_begun_anew_as_well():
    """Its messages are those of the pieces."""
    book, (run,) = book_of(4)
    run.delivery.begin()
    run.cut(1)[1].divide()
    book.advance()  # which has the pieces from now on
    assert run.refuse()
    messages = messages_of(run)
    handle(*messages)

    assert [message.offset for message in messages] == [0, 1, 2, 3]
    assert committed(book) == (4, 4, 0)


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("what", ["held", "acked"])
def test_run_that_is_held_cannot_be_refused(what, is_cut):
    """Who holds it would store what the chain is given as well; and what is acked would be committed before the chain has it."""
    _, (run,) = book_of(3)
    run.delivery.begin()
    run.hold(OWNER) if what == "held" else run.delivery.ack()
    if is_cut:
        run.cut(1)

    assert not run.refuse()
    assert all(piece.delivery.is_running for piece in (run.pieces or [run]))


def test_second_owner_of_a_run_is_refused():
    """The first would cut it, and the second never hear of the pieces; the same owner may hold again."""
    _, (run,) = book_of(3)
    run.delivery.begin()
    is_new = [run.hold(OWNER) for _ in range(2)]

    with pytest.raises(StateError, match="held by one owner"):
        run.hold("another")
    with pytest.raises(StateError, match="held by one owner"):
        run.cut(1)[0].hold("another")
    assert is_new == [True, False]


def test_messages_of_a_run_may_have_several_owners():
    """Once it is divided they are messages as any other."""
    _, (run,) = book_of(2)
    run.delivery.begin()
    run.hold(OWNER)
    first, _ = run.divide()
    another = first.hold("another")
    run.finish()
    first.delivery.release(OWNER)
    early = first.is_settled
    another.release()

    assert (early, first.is_settled) == (False, True)


def test_revoke_drops_runs_that_nobody_has_begun():
    """All of their messages; what was begun stays, and those before it."""
    book, (done, _, begun, *_) = book_of(2, 3, 4, 5, 6)
    take(done)
    begun.delivery.begin()

    assert book.discard_unstarted() == 11
    assert committed(book) == (2, 2, 7)


@pytest.mark.parametrize("part", ["cut", "divided"])
def test_revoke_drops_the_pieces_behind_the_last_that_was_begun(part):
    """A run that is begun in part is dropped in part."""
    book, (run, _) = book_of(5, 3)
    pieces = run.cut(2) if part == "cut" else run.divide()
    pieces[0].delivery.begin()
    dropped = book.discard_unstarted()
    left = book.pending
    pieces[0].delivery.finish()

    assert (dropped, left) == ((6, 2) if part == "cut" else (7, 1))
    assert committed(book) == (left, left, 0)


def test_position_is_forgotten_with_a_run_that_a_revoke_drops_below_it():
    """The run comes to whoever has the partition next."""
    book, (done, _) = book_of(2, 3)
    book.reach(9)
    take(done)
    book.discard_unstarted()

    assert committed(book) == (2, 2, 0)


def test_position_is_committed_once_a_run_below_it_has_settled():
    """A run stands below it as a whole."""
    book, (run,) = book_of(3)
    book.reach(9)
    early = committed(book)
    head, tail = run.cut(1)
    take(head)
    between = committed(book)
    take(tail)

    assert early == (0, None, 3)
    assert between == (1, 1, 2)
    assert committed(book) == (2, 9, 0)


def test_oldest_is_the_run_then_the_first_of_its_pieces_that_is_not_settled():
    """Also before the book has looked: others ask."""
    book, (run, behind) = book_of(3, 1)
    whole = book.oldest
    take(run, OWNER)
    head, tail = run.cut(1)
    cut = book.oldest
    head.delivery.release(OWNER)
    second = book.oldest
    messages = tail.divide()
    messages[0].delivery.release(OWNER)
    last = book.oldest
    messages[1].delivery.release(OWNER)
    book.advance()

    assert [whole, cut, second] == [run, head, tail]
    assert last is messages[1]
    assert book.oldest is behind


def test_oldest_of_a_run_all_of_whose_pieces_are_settled_is_one_of_them():
    """Until the book has looked."""
    book, (run,) = book_of(2)
    take(run)
    messages = run.divide()

    assert book.oldest is messages[-1]
    assert book.may_settle
    assert committed(book) == (2, 2, 0)
    assert book.oldest is None


def test_oldest_is_never_missing_while_pieces_take_the_place_of_their_run():
    """A handler that stops by itself looks from another thread, and would take the book for done."""
    book, (run,) = book_of(3)
    take(run, OWNER)
    seen = []

    class Looked(list):
        """Pieces that are asked for while the book is about to put them in."""

        def __reversed__(self):
            seen.append(book.oldest)
            return super().__reversed__()

    run.cut(1)
    run.pieces = Looked(run.pieces)
    head = run.pieces[0]
    seen.clear()
    book.advance()

    assert seen
    assert all(each is head for each in seen)


def test_bytes_of_a_run_are_let_go_with_its_last_message():
    """They were counted for the run; pieces do not tell them apart."""
    book, (first, second) = book_of(2, 2)
    book.account(30)
    take(first, OWNER)
    take(second)
    messages = first.divide()
    messages[0].delivery.release(OWNER)
    book.advance()
    early = book.pending_bytes
    messages[1].delivery.release(OWNER)
    book.advance()

    assert (early, book.pending_bytes) == (30, 0)


def test_closed_assignment_stands_still():
    """What settles afterwards, or gives way to its pieces, belongs to whoever has the partition now."""
    book, (run,) = book_of(3)
    take(run, OWNER)
    head, tail = run.cut(1)
    book.assignment.close()
    head.delivery.release(OWNER)

    assert committed(book) == (0, None, 3)
    assert head.is_void
    assert tail.is_void


def test_context_of_a_run_is_that_of_its_assignment():
    """Who waits for room with a run in hand hears that its partition goes."""
    _, (run,) = book_of(2)
    before = run.context.is_closing
    run.assignment.is_closing = True

    assert (before, run.context.is_closing) == (False, True)


@pytest.fixture
def lines():
    """What is logged, from INFO on."""
    texts = []
    sink = logger.add(lambda text: texts.append(str(text)), format="{level} {message}", level="INFO")
    logger.enable("millstream")
    yield texts
    logger.disable("millstream")
    logger.remove(sink)


def test_standstill_at_a_run_names_its_owner_and_first_offset(lines):
    """Not the last offset, by which a book goes otherwise."""
    book, (done, run) = book_of(7, 3)
    take(done)
    take(run, OWNER)
    book.advance()
    watch = StandstillWatch(10.0)
    for now in (0.0, 11.0, 20.0):
        watch.look([book], now)

    assert len(lines) == 1
    assert lines[0].startswith("WARNING the commit of t[0] has stood still at offset 7 for 11.0 s: held by batcher;")
    assert "3 messages wait" in lines[0]


def test_standstill_begins_anew_with_each_piece(lines):
    """A run of which one piece settles has not stood still."""
    book, (run,) = book_of(3)
    take(run, OWNER)
    watch = StandstillWatch(10.0)
    watch.look([book], 0.0)
    head, _ = run.cut(1)
    head.delivery.release(OWNER)
    book.advance()
    for now in (9.0, 18.0):
        watch.look([book], now)
    early = list(lines)
    watch.look([book], 19.0)

    assert early == []
    assert "stood still at offset 1 for 10.0 s" in lines[0]


def test_what_keeps_a_run_is_said_as_of_a_message():
    """A handler that has not begun, or not returned, or a worker."""
    _, (new, running, held) = book_of(1, 2, 3)
    running.delivery.begin()
    take(held, OWNER)

    assert [keeper_of(each) for each in (new, running, held)] == [
        "not yet handled by handler 'h'",
        "handler 'h' has not returned",
        "held by batcher",
    ]


@pytest.mark.parametrize("part", ["whole", "cut", "divided"])
@pytest.mark.parametrize("owner", [OWNER, "user"])
def test_revoke_waits_for_what_holds_a_run(part, owner):
    """For a worker until the deadline, for a user one second; whether it is whole or not."""
    book, (run,) = book_of(3)
    take(run, owner)
    if part != "whole":
        run.cut(1) if part == "cut" else run.divide()
    wait = RevokeWait([book], 0.0, 10.0)
    times = (0.5, USER_HOLD_SECONDS + 0.1, 10.0)

    assert [wait.looks_over(now) for now in times] == [False, owner == "user", True]
    assert [wait.is_over(now) for now in times] == [False, owner == "user", True]


def test_revoke_does_not_wait_for_a_run_that_nobody_has_finished():
    """Never begun, or its handler has not returned: it will not settle here."""
    for begins in (False, True):
        book, (run,) = book_of(3)
        if begins:
            run.delivery.begin()

        assert RevokeWait([book], 0.0, 10.0).is_over(0.1)


def test_nacked_message_of_a_divided_run_keeps_its_place():
    """It is delivered again, and the commit waits in front of it."""
    book, (run,) = book_of(3)
    messages = run.divide()
    for message in messages:
        message.delivery.begin()
    messages[1].nack()
    for message in messages:
        message.delivery.finish()
    early = committed(book)
    is_nacked = messages[1].delivery.verdict == NACKED
    messages[1].delivery.restart()
    handle(messages[1])

    assert is_nacked
    assert early == (1, 1, 2)
    assert committed(book) == (2, 3, 0)


def test_message_and_run_are_told_apart_by_what_they_hold():
    """`messages_of` and `first_offset` take both."""
    message, run = Message(b"x", offset=4), delivered_run(routed(), 5, 2)

    assert [first_offset(each) for each in (message, run)] == [4, 5]
    assert messages_of(message) == (message,)
    assert [each.offset for each in messages_of(run)] == [5, 6]
