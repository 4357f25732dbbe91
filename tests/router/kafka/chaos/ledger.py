"""What members did and what the group had committed, as seen from outside; and what is wrong with it. No I/O.

Times are monotonic nanoseconds, which all processes of a machine share.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

Place = tuple[int, int]
"""Partition and offset."""
Look = tuple[int, dict[int, int]]
"""When the broker had answered, and the committed offset of each partition."""


class Event(NamedTuple):
    """One message, delivered to or settled by one member."""

    time: int
    member: int
    place: Place


class Ledger:
    """Everything that was seen, in the order of time.

    Args:
        texts: what each member wrote, a line for each thing it did: the time, what (`delivered`, `settled`, `drained`,
            `left`), and `partition:offset` of each message. A last line without an end is left out: its member was killed
            over it.
        looks: what somebody outside saw.
    """

    def __init__(self, texts: Mapping[int, str], looks: list[Look] | None = None) -> None:
        self.looks = looks or []
        self.delivered: list[Event] = []
        self.settled: list[Event] = []
        self.left: dict[int, int] = {}
        """The members that left in an orderly way, and when they had finished what they had begun."""
        self._drained: dict[int, int] = {}
        for member, text in texts.items():
            for line in text.splitlines(keepends=True):
                if line.endswith("\n"):
                    self._take(member, *line.split())
        self.delivered.sort()
        self.settled.sort()

    def _take(self, member: int, time: str, kind: str, *places: str) -> None:
        if kind == "drained":
            self._drained[member] = int(time)
        if kind == "left":
            self.left[member] = self._drained[member]
        events = self.delivered if kind == "delivered" else self.settled
        for place in places:
            partition, offset = place.split(":")
            events.append(Event(int(time), member, (int(partition), int(offset))))

    def commits_ahead(self) -> list[str]:
        """Return where a commit covered a message that nobody had settled when the broker told of it."""
        done: set[Place] = set()
        low: dict[int, int] = {}
        found, position = [], 0
        for time, committed in self.looks:
            while position < len(self.settled) and self.settled[position].time <= time:
                done.add(self.settled[position].place)
                position += 1
            for partition, offset in committed.items():
                while (partition, low.get(partition, 0)) in done:
                    low[partition] = low.get(partition, 0) + 1
                if offset > low.get(partition, 0):
                    found.append(f"partition {partition}: committed {offset}, settled up to {low.get(partition, 0)}")
        return found

    def unsettled(self, ends: dict[int, int]) -> list[Place]:
        """Return the messages below *ends*, the end offset of each partition, that nobody ever settled."""
        done = {each.place for each in self.settled}
        return [
            (partition, offset)
            for partition, end in ends.items()
            for offset in range(end)
            if (partition, offset) not in done
        ]

    def repeats_after_graceful_leaves(self) -> list[str]:
        """Return what a member had finished before it left in order, and was delivered again from then on.

        Whoever has a partition next is given its messages before the one that leaves has got as far as to say so; so what
        counts is when that had finished its last message, before its last commit.
        """
        finished: dict[Place, int] = {}
        for each in self.settled:
            left = self.left.get(each.member)
            if left is not None:
                finished[each.place] = min(left, finished.get(each.place, left))
        return [
            f"{each.place} again to {each.member}"
            for each in self.delivered
            if each.place in finished and each.time > finished[each.place]
        ]

    @property
    def duplicates(self) -> int:
        """How often a message was delivered beyond the first time."""
        return len(self.delivered) - len({each.place for each in self.delivered})

    @property
    def most_at_once(self) -> int:
        """How many members had messages at the same time: each from the first to the last that it was given."""
        first = {each.member: each.time for each in reversed(self.delivered)}
        last = {each.member: each.time for each in self.delivered}
        return max(sum(first[each] <= time <= last[each] for each in first) for time in first.values())

    @property
    def longest_blink(self) -> float:
        """The longest time between two looks, in seconds."""
        times = [time for time, _ in self.looks]
        return max(later - earlier for earlier, later in pairwise(times)) / 1e9
