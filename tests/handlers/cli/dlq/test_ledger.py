"""Which records were replayed, and the note of it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.handlers.cli.dlq.ledger import MAX_NOTE_CHARACTERS, Ledger, LedgerFull
from millstream.router import ConfigurationError

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 8)), max_size=25)


def ledger_of(offsets, position=0):
    """Return a ledger that has *offsets*, added one by one."""
    ledger = Ledger(position)
    for offset in offsets:
        ledger.add(offset, offset + 1)
    return ledger


@given(st.integers(0, 20), SPANS)
def test_a_ledger_has_what_was_added_in_whatever_order(position, spans):
    """The position is the first offset that is missing, and the runs beyond it neither touch nor overlap."""
    ledger = Ledger(position)
    done = set(range(position))
    for begin, length in spans:
        ledger.add(begin, begin + length)
        done |= set(range(begin, begin + length))

    assert {offset for offset in range(80) if offset in ledger} == done
    assert ledger.position == min(set(range(99)) - done)
    edges = [ledger.position, *(edge for run in ledger.runs for edge in run)]
    assert edges == sorted(set(edges))


@given(st.integers(0, 20), SPANS, st.integers(0, 80))
def test_what_is_left_is_what_is_not_in_it(position, spans, end):
    """As a number of offsets below the end of the topic, never less than 0."""
    ledger = Ledger(position)
    for begin, length in spans:
        ledger.add(begin, begin + length)

    end = max([end, position, *(after for _, after in ledger.runs)])
    assert ledger.count_left(end) == sum(offset not in ledger for offset in range(end))
    assert ledger.count_left(0) == 0


@given(st.integers(0, 2**40), SPANS)
def test_a_note_is_read_as_it_was_written(position, spans):
    """With the offset that it is committed with."""
    ledger = Ledger(position)
    for begin, length in spans:
        ledger.add(position + begin, position + begin + length)
    read = Ledger.read(ledger.position, ledger.note())

    assert (read.position, read.runs) == (ledger.position, ledger.runs)


def test_a_ledger_without_holes_has_no_note():
    """A replay without a filter leaves what any consumer would."""
    ledger = ledger_of(range(1000))

    assert (ledger.position, ledger.note()) == (1000, "")


def test_what_retention_has_removed_is_done_with():
    """Also runs that are gone; what begins later stays."""
    ledger = ledger_of([3, 4, 8, 20])
    ledger.begin_at(9)
    ledger.begin_at(5)

    assert (ledger.position, ledger.runs) == (9, [(20, 21)])


def test_twenty_five_thousand_records_without_any_pattern_can_be_noted():
    """Half of them replayed: that is about the worst that a filter does."""
    draw = random.Random(1)
    ledger = ledger_of(offset for offset in range(25_000) if draw.random() < 0.5)

    assert len(ledger.note()) <= MAX_NOTE_CHARACTERS


def test_more_pieces_than_a_note_takes_are_refused():
    """Rather than cut: what is lost of it would be sent twice."""
    draw = random.Random(1)
    ledger = ledger_of(offset for offset in range(60_000) if draw.random() < 0.5)

    with pytest.raises(LedgerFull, match="pieces"):
        ledger.note()


@pytest.mark.parametrize("note", ["1:", "1:!!", "1:abc", "2:", "consumer-1 of another tool", "1:\N{SNOWMAN}"])
def test_a_note_of_another_program_is_refused(note):
    """Its group is a consumer's own."""
    with pytest.raises(ConfigurationError, match="name another group"):
        Ledger.read(5, note)


def test_a_copy_is_independent():
    """What is not confirmed is not noted."""
    ledger = ledger_of([1])
    ledger.copy().add(0, 1)

    assert (ledger.position, ledger.runs) == (0, [(1, 2)])
