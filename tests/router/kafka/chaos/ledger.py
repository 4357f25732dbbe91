"""What members settled and what the group had committed, as seen from outside; and what is wrong with it. No I/O but reading."""

from dataclasses import dataclass, field

Place = tuple[int, int]
"""Partition and offset."""


@dataclass
class Settled:
    """One message, settled by one member at one moment (monotonic nanoseconds)."""

    member: int
    time: int
    place: Place


@dataclass
class Ledger:
    """Everything that was seen, in the order of time."""

    settled: list[Settled]
    commits: list[tuple[int, dict[int, int]]] = field(default_factory=list)
    """When the broker had answered, and the committed offset of each partition."""
    graceful: dict[int, int] = field(default_factory=dict)
    """The members that left in an orderly way, and when they had ended."""

    @staticmethod
    def read(lines: list[str], **seen: object) -> "Ledger":
        """Take in the lines that members wrote: member, time, and `partition:offset` of each message."""
        settled = []
        for line in lines:
            member, time, *places = line.split()
            for place in places:
                partition, offset = place.split(":")
                settled.append(Settled(int(member), int(time), (int(partition), int(offset))))
        settled.sort(key=lambda each: each.time)
        return Ledger(settled, **seen)  # type: ignore[arg-type] # whatever the caller has seen

    def commits_ahead(self) -> list[str]:
        """Return where a commit covered a message that nobody had settled when the broker told of it."""
        done: set[Place] = set()
        low: dict[int, int] = {}
        found, position = [], 0
        for time, committed in self.commits:
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
        """Return what a member had finished before it left in order, and somebody settled again later."""
        finished: dict[Place, int] = {}
        found = []
        for each in self.settled:
            ended = finished.get(each.place)
            if ended is not None and each.time > ended:
                found.append(f"{each.place} again by {each.member}")
            if each.member in self.graceful:
                finished[each.place] = self.graceful[each.member]
        return found

    @property
    def duplicates(self) -> int:
        """How often a message was settled beyond the first time."""
        return len(self.settled) - len({each.place for each in self.settled})
