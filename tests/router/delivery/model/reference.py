"""The delivery contract said again, as simply as it can be: one record per message, no flags, no threads."""

from dataclasses import dataclass, field

Key = tuple[str, int]
"""Owner and part of a hold."""


@dataclass
class Record:
    """What has been said about one message."""

    offset: int
    chain: str = "none"
    verdict: str = "undecided"
    holds: dict[Key, str] = field(default_factory=dict)
    failures: int = 0
    is_void: bool = False
    is_confirmed: bool = False

    @property
    def is_held(self) -> bool:
        """Whether a hold is out."""
        return "open" in self.holds.values()

    @property
    def is_settled(self) -> bool:
        """Whether the last word is spoken."""
        if self.chain == "running" or self.verdict != "acked":
            return False
        if self.is_void or self.failures:
            return self.is_confirmed
        return not self.is_held

    @property
    def is_unstarted(self) -> bool:
        """Whether nobody has begun with it."""
        return self.chain == "none" and self.verdict == "undecided" and not self.holds

    def say(self, word: str) -> bool:
        """Ack or nack: the first word counts."""
        if self.verdict == "undecided":
            self.verdict = word
        return self.verdict == word

    def hold(self, key: Key) -> bool:
        """Take a hold; returns whether it is new."""
        is_new = key not in self.holds
        self.holds.setdefault(key, "open")
        return is_new

    def release(self, key: Key) -> None:
        """Release the hold if it is open."""
        if self.holds.get(key) == "open":
            self.holds[key] = "released"

    def fail(self, key: Key) -> None:
        """Fail the hold if it is open and still means something."""
        if self.holds.get(key) == "open" and not self.is_void:
            self.holds[key] = "failed"
            self.failures += 1

    def poison(self) -> None:
        """Give the message to the sink from inside its chain."""
        if not self.is_void:
            self.failures += 1
            self.is_void = True

    def write(self) -> bool:
        """Let the sink write what is ready; returns whether that was a new record."""
        is_ready = not self.is_confirmed and (self.is_void or (self.failures > 0 and not self.is_held))
        if is_ready:
            self.is_void = self.is_confirmed = True
        return is_ready


class Epoch:
    """One assignment's messages and what may be committed of them."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.gone = 0
        """How many, from the front, have settled and left."""
        self.reached = 0
        """The newest position below which there is nothing but the records; 0 while nobody said."""
        self.next_offset: int | None = None
        self.is_closed = False

    def advance(self) -> int:
        """Let the settled ones at the front go; returns how many."""
        before = self.gone
        if not self.is_closed:
            while self.gone < len(self.records) and self.records[self.gone].is_settled:
                self.gone += 1
            reached = self.reached if all(each.offset >= self.reached for each in self.records[self.gone :]) else 0
            behind_the_last = self.records[self.gone - 1].offset + 1 if self.gone else 0
            self.next_offset = max(reached, behind_the_last, self.next_offset or 0) or None
        return self.gone - before

    def discard_unstarted(self) -> int:
        """Drop those at the end that nobody has begun with; returns how many."""
        before = len(self.records)
        while len(self.records) > self.gone and self.records[-1].is_unstarted:
            if self.records.pop().offset < self.reached:
                self.reached = 0
        return before - len(self.records)
