"""A runner that gives a handler many messages at once, past a chain that has nothing to do with good ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..delivery.run import CHUNK_MESSAGES, Entry, MessageRun, messages_of
from ..errors import Cancelled, HaltedError, is_about_us, text_of_error
from ..protocols import Admits, DeliversRuns, TakeRun
from .runner import Runner


class RunRunner(Runner):
    """Handles runs whole where the handler takes them; what it does not take goes through the chain, message by message.

    Args:
        source: delivers runs.
        take_run: of the handler.
        admits: the middlewares that say how many messages may go, outermost first.
        options: as of `Runner`.
    """

    def __init__(
        self, source: DeliversRuns, take_run: TakeRun, *, admits: Sequence[Admits] = (), **options: Any
    ) -> None:
        super().__init__(source=source, **options)
        self._receive_entries = source.receive_entries
        self._take_run = take_run
        self._admits = admits

    def _take_in(self, timeout: float) -> None:
        for entry in self._receive_entries(CHUNK_MESSAGES, timeout):
            self.current = assignment = entry.assignment
            if self._is_stopping or (assignment is not None and assignment.is_closing):
                continue
            if self._admits and isinstance(entry, MessageRun):
                self._take_in_turns(entry)
            elif self._parking.holds(assignment) or not self._is_taken(entry):
                self._take_messages(messages_of(entry))

    def _take_in_turns(self, run: MessageRun) -> None:
        """Take *run* in pieces of as many messages as may go at a time."""
        rest: MessageRun | None = run
        while rest is not None and not (self._is_stopping or run.assignment.is_closing):
            self.current = run.assignment
            count = 0 if self._parking.holds(run.assignment) else self._admitted(rest)
            if count == 0:
                self._take_messages(rest.divide())
                return
            piece, rest = rest.cut(count) if count <= rest.more else (rest, None)
            if not self._is_taken(piece):
                for each in self._admits:
                    each.give_back(count)
                self._take_messages(piece.divide())

    def _admitted(self, run: MessageRun) -> int:
        """Wait until some of *run* may go, and return how many; 0 where that was called off: the chain knows why."""
        count, context = 1 + run.more, run.context
        try:
            for each in self._admits:
                count = max(1, min(count, each.admit(context, count)))
        except Cancelled:
            return 0
        return count

    def _is_taken(self, entry: Entry) -> bool:
        if not isinstance(entry, MessageRun):
            return False
        count = 1 + entry.more
        entry.delivery.begin()
        self._received += count
        try:
            if self._take_run(entry):
                entry.finish()
                return True
        except Cancelled as error:
            if self._is_cut_short(entry):
                return True
            self._refuse(entry, error)
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # a panic, too: what becomes of it is the chain's to say, for each message
            if is_about_us(error):
                raise
            self._refuse(entry, error)
        else:
            self._refuse(entry)
        self._received -= count
        return False

    def _refuse(self, run: MessageRun, error: BaseException | None = None) -> None:
        """Leave *run* to the chain; raises where it is in a batch already: all of it would be stored twice."""
        if not run.refuse():
            did = "returned False" if error is None else f"raised {text_of_error(error)}"
            raise HaltedError(
                f"take_run of handler {self.name!r} {did} after it gave the run to a batcher: do that last"
            )
