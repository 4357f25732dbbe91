"""What commits say besides their offsets, and what is read from it. No broker."""

import pytest
from confluent_kafka import TopicPartition

from millstream.router.kafka.consuming.commit_note import CommitNote, count_at_the_start, other_id, read_note


@pytest.mark.parametrize("note", [CommitNote(), CommitNote("a@b"), CommitNote("", 3), CommitNote("a-_=@b@c", 12)])
def test_note_is_read_as_it_was_written(note):
    """Each word only where it is known."""
    assert read_note(note.text) == note


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("topic=a@b partitions=3", id="somebody else's"),
        pytest.param("millstreams topic=a@b", id="nearly ours"),
        pytest.param("millstream partitions=-3 topic", id="nothing that we would write"),
        pytest.param("millstream partitions=³", id="no number"),
    ],
)
def test_other_metadata_says_nothing(text):
    """Tools and other clients write what they like."""
    assert read_note(text) == CommitNote()


def place(partition, offset=0, note=""):
    """Return what a group has committed of a partition."""
    return TopicPartition("t", partition, offset, note)


@pytest.mark.parametrize(
    ("committed", "count"),
    [
        pytest.param([place(0, -1001), place(1, -1001)], 2, id="nothing: the group begins"),
        pytest.param([place(0, 5, "millstream partitions=1"), place(1, -1001)], 1, id="as noted"),
        pytest.param(
            [place(0, 5, "millstream partitions=2"), place(1, 5, "millstream partitions=1")], 1, id="the least"
        ),
        pytest.param([place(0, 5), place(1, 0, "millstream partitions=1")], 1, id="one was set with a tool"),
        pytest.param([place(0, 5), place(1, -1001)], 1, id="up to the highest with a commit"),
        pytest.param([place(0, -1001), place(1, 5)], 2, id="though a lower one has none"),
    ],
)
def test_partitions_at_the_start_of_a_group_are_counted(committed, count):
    """Those from the count on were added later."""
    assert count_at_the_start(committed, len(committed)) == count


@pytest.mark.parametrize(
    ("noted", "other"),
    [
        pytest.param([], "", id="nothing noted"),
        pytest.param(["", "one@here"], "", id="the same"),
        pytest.param(["one@here", "two@here"], "two@here", id="another"),
        pytest.param(["two@there"], "", id="carried over from another cluster"),
    ],
)
def test_commit_of_another_topic_is_found(noted, other):
    """Only the ids of one cluster can be compared."""
    assert other_id(noted, "one@here") == other
    assert other_id(["two@", ""], "one@") == ""  # clusters without a name may be two
