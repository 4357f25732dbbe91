"""What a commit says besides its offset, in the metadata that Kafka keeps with it.

An offset alone does not tell of which topic it is, as a topic may be deleted and made anew under its name. Nor does the lack of a
commit tell whether the group has not come to that partition yet, or it was added later. So each commit of ours says

    millstream topic=<id>@<cluster> partitions=<how many there were when the group began>

either word only where it is known. Tools that set offsets leave it out, and mirrors copy it to other clusters: nothing is
inferred from a note that is missing or of another cluster.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from confluent_kafka import TopicPartition

MARK = "millstream"


class CommitNote(NamedTuple):
    """The metadata of one commit."""

    topic_id: str = ""
    """`<id>@<cluster>`; empty where nobody told."""
    partitions: int | None = None
    """How many the topic had when the group began; `None` where that does not matter, or nobody knows."""

    @property
    def text(self) -> str:
        """The note as it is committed."""
        words = [MARK]
        if self.topic_id:
            words.append(f"topic={self.topic_id}")
        if self.partitions is not None:
            words.append(f"partitions={self.partitions}")
        return " ".join(words)


def read_note(text: str | None) -> CommitNote:
    """Return the note in *text*; what is not ours says nothing."""
    mark, *words = (text or "").split() or [""]
    said = dict(word.split("=", 1) for word in words if "=" in word)
    if mark != MARK:
        return CommitNote()
    count = said.get("partitions", "")
    return CommitNote(said.get("topic", ""), int(count) if count.isdecimal() else None)


def count_at_the_start(committed: Iterable[TopicPartition], count: int) -> int:
    """Return how many partitions the topic had when its group began; those from this number on were added since.

    Args:
        committed: every partition, with what the group has committed of it.
        count: how many there are now. The group begins with them when nothing was committed.
    """
    begun = [each for each in committed if each.offset >= 0]
    counts = [note.partitions for note in notes_of(begun) if note.partitions is not None]
    if counts:
        return min(counts)
    # Commits of others, or set with a tool: whoever began took each partition that there was.
    return max((each.partition for each in begun), default=count - 1) + 1


def notes_of(committed: Iterable[TopicPartition]) -> list[CommitNote]:
    """Return the note of each of *committed* that has an offset."""
    return [read_note(each.metadata) for each in committed if each.offset >= 0]


def other_id(noted: Iterable[str], topic_id: str) -> str:
    """Return the first of *noted* that says that its commit is of another topic than *topic_id*, else an empty text.

    Ids of another cluster say nothing: the commit was carried over, and its offset with it. Nor do those of a cluster that has no
    name.
    """
    cluster = topic_id.rpartition("@")[2]
    of_it = (each for each in noted if each.rpartition("@")[2] == cluster != "")
    return next((each for each in of_it if each != topic_id), "")
