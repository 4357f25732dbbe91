"""Which offset of one assignment may be committed: the first that is not settled.

Rules:
- one book per assignment; one thread appends to it and advances it, so it needs no lock;
- messages settle in any order and offsets may have gaps (compaction, transactions): a message leaves the book only from the
  front, and what is committed is the offset after the last one that left;
- with nothing pending below it, what is committed is the reader's position, where that is known (`reach`): it stands behind what
  never becomes a message, such as the markers of transactions, aborted records, and a tail that was compacted away;
- a book refuses an offset that is not above its newest: the log was rewound, which starts a new epoch with a new book;
- once its assignment has closed a book stands still: what settles later belongs to whoever has the partition now;
- a run of messages stands in it as one, until it was cut or divided: its pieces take its place once it is the first, or the last.

Each message enters once and leaves once, so the cost per message is constant, whatever the order of settling.
"""

from collections import deque
from collections.abc import Sequence

from .assignment import Assignment
from .message import Message
from .run import Entry, MessageRun
from .settlement import ACKED, DIVIDED, RUNNING

MAX_PENDING = 250_000
"""Offsets a partition may be past its commit: what one stuck row can make a successor read again (about 10 s of work)."""


class OffsetBook:
    """The messages of one assignment that are not settled yet, in arrival order.

    Example:
        >>> book = OffsetBook(Assignment("events", 0))
        >>> first, second = Message(b"a", offset=7), Message(b"b", offset=8)
        >>> book.extend([first, second]), second.ack(), book.advance(), book.next_offset
        (True, True, 0, None)
        >>> first.ack(), book.advance(), book.next_offset
        (True, 2, 9)
    """

    def __init__(self, assignment: Assignment, *, max_pending: int = MAX_PENDING) -> None:
        self.assignment = assignment
        self.next_offset: int | None = None
        """What may be committed: the offset after the last settled message, or the position that was reached, with nothing
        pending below it; `None` when there is neither."""
        self.settled = 0
        """Messages settled so far."""
        self._max_pending = max_pending
        self.pending_bytes = 0
        """Bytes of what is pending, as far as `account` was told of them; let go run by run."""
        self.newest = -1
        """The last offset that is done with: that of the newest message, or the one below the position that was reached."""
        self._reached: int | None = None
        """The position that may be committed once nothing is pending below it."""
        self._pending: deque[Entry] = deque()
        self._more = 0
        """Messages pending beyond the entries of `_pending`: those of runs, but for one each."""
        self._runs: deque[tuple[int, int]] = deque()
        """The last offset and the bytes of each run that was accounted for."""

    def append(self, message: Message) -> bool:
        """Take in *message*; returns False, and does nothing, when its offset is not above the newest."""
        offset = message.offset
        if offset <= self.newest:
            return False
        self.newest = offset
        self._pending.append(message)
        return True

    def account(self, size: int) -> None:
        """Count *size* bytes for what was appended since the last call: one call for a run costs its messages nothing."""
        self._runs.append((self.newest, size))
        self.pending_bytes += size

    def extend(self, messages: Sequence[Message]) -> bool:
        """Take in a chunk in ascending offset order; returns False, and does nothing, when it begins below the newest."""
        if not messages:
            return True
        if messages[0].offset <= self.newest:
            return False
        self.newest = messages[-1].offset
        self._pending.extend(messages)
        return True

    def append_run(self, run: MessageRun) -> bool:
        """Take in the messages of *run* as one; returns False, and does nothing, when it begins below the newest."""
        if run.first <= self.newest:
            return False
        self.newest = run.offset
        self._pending.append(run)
        self._more += run.more
        return True

    def reach(self, position: int) -> None:
        """Take note that every message below the offset *position* was taken in: there is nothing else.

        It may be committed once they have settled. A position that is not above the newest message is passed over.
        """
        if position > self.newest:
            self._reached = position
            self.newest = position - 1

    def advance(self) -> int:
        """Let settled messages go from the front; returns how many. Afterwards `next_offset` is what may be committed.

        `Message.is_settled`, written out: a property call per message would cost as much as all the rest.
        """
        if self.assignment.is_closed:
            return 0
        pending = self._pending
        popleft = pending.popleft
        before = len(pending) + self._more
        last = None
        while pending:
            delivery = pending[0].delivery
            if delivery.chain == RUNNING or delivery.verdict != ACKED:
                if delivery.chain == DIVIDED:
                    self._replace_first()
                    continue
                break
            # `is_open` is read before `extra`: `Delivery.fail` writes in the opposite order.
            if (delivery.is_open or delivery.extra is not None) and not delivery.is_settled:
                break
            if delivery.context is not None:
                delivery.context.end()
            last = popleft()
            if self._more:
                self._more -= last.more
        if last is not None:
            self.next_offset = last.offset + 1
            self._let_runs_go(last.offset)
        if self._reached is not None:
            self._catch_up(self._reached)
        count = before - len(pending) - self._more
        self.settled += count
        return count

    def _replace_first(self) -> None:
        """Put the pieces of the first entry, a run, into its place. It goes last: others who look always find what is oldest."""
        run = self._pending[0]
        pieces = _pieces_of(run)
        self._pending.extendleft(reversed(pieces))
        del self._pending[len(pieces)]
        self._more += sum([piece.more for piece in pieces]) - run.more

    def _replace_last(self) -> None:
        run = self._pending[-1]
        pieces = _pieces_of(run)
        self._pending.extend(pieces)
        del self._pending[-1 - len(pieces)]
        self._more += sum([piece.more for piece in pieces]) - run.more

    def _catch_up(self, position: int) -> None:
        if self._pending and self._pending[0].offset < position:  # of a run its last: it is below, as all of it are
            return
        self._reached = None
        if self.next_offset is None or position > self.next_offset:
            self.next_offset = position

    def _let_runs_go(self, offset: int) -> None:
        runs = self._runs
        while runs and runs[0][0] <= offset:
            self.pending_bytes -= runs.popleft()[1]

    def discard_unstarted(self) -> int:
        """Drop the messages at the end that nobody has started on; returns how many. For a revoke: nobody need wait for them."""
        pending = self._pending
        before = self.pending
        while pending:
            last = pending[-1]
            if last.delivery.chain == DIVIDED:
                self._replace_last()
                continue
            if last.delivery.is_started:
                break
            pending.pop()
            self._more -= last.more
            if self._reached is not None and last.offset < self._reached:
                self._reached = None  # it comes to whoever has the partition next
        return before - self.pending

    @property
    def may_settle(self) -> bool:
        """Whether waiting can bring it further: its front was handled, and only its holds or its poison record are out.

        A front that no chain has finished (never started, cancelled, waiting for a redelivery) will not settle here.
        """
        front = self.oldest
        return front is not None and front.delivery.is_handled

    @property
    def pending(self) -> int:
        """Messages delivered and not settled (or settled behind one that is not)."""
        return len(self._pending) + self._more

    @property
    def is_full(self) -> bool:
        """Whether the assignment has as many offsets past its commit as it may."""
        return self.pending >= self._max_pending

    @property
    def room(self) -> int:
        """How many more messages the assignment may have past its commit."""
        return max(0, self._max_pending - self.pending)

    @property
    def oldest(self) -> Entry | None:
        """What keeps the commit back, a message or a run of them, or `None`. From any thread."""
        try:
            found = self._pending[0]
        except IndexError:
            return None
        while isinstance(found, MessageRun) and found.delivery.chain == DIVIDED:
            found = next((piece for piece in found.pieces if not piece.delivery.is_settled), found.pieces[-1])
        return found


def _pieces_of(entry: Entry) -> Sequence[Entry]:
    return entry.pieces if isinstance(entry, MessageRun) else (entry,)
