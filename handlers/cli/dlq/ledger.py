"""Which records of a partition were replayed, also where a filter has passed over some, in what Kafka keeps with an offset.

What a group commits is one offset: below it everything is done with. A filtered replay leaves holes. So what was replayed beyond
the first hole is written into the note that Kafka keeps beside the offset, as lengths in turn: of what is left, of what was
replayed, and so on, each as a number of 7 bits a byte, compressed, in letters.
"""

from __future__ import annotations

import base64
import bisect
import zlib

from millstream.router import ConfigurationError

MAX_NOTE_CHARACTERS = 4000
"""Brokers keep less than 4,096 (`offset.metadata.max.bytes`): Apache Kafka 4.1 takes 4,095."""
VERSION = "1:"
STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY)
"""The first is for records that alternate by a rule, the second for those that come as they please: of these it makes a quarter
less, so that 25,000 of which a random half was replayed can be noted."""
RAW = -zlib.MAX_WBITS
"""Without a header and a checksum."""


class LedgerFull(ConfigurationError):
    """What was replayed is in too many pieces for the note."""


class Ledger:
    """Offsets that are done with: all below *position*, and *runs* beyond, each from its first offset to the one after its last.

    A plain object without I/O.
    """

    def __init__(self, position: int = 0, runs: list[tuple[int, int]] | None = None) -> None:
        self.position = position
        self.runs = [] if runs is None else runs

    def copy(self) -> Ledger:
        """Return another one with the same in it."""
        return Ledger(self.position, self.runs.copy())

    def __contains__(self, offset: int) -> bool:
        place = bisect.bisect_right(self.runs, (offset, _BEHIND)) - 1
        return offset < self.position or (place >= 0 and offset < self.runs[place][1])

    def count_left(self, end: int) -> int:
        """Return how many offsets below *end* are not done with."""
        return max(0, end - self.position - sum(after - first for first, after in self.runs))

    def begin_at(self, first: int) -> None:
        """Take note that nothing is kept below *first*."""
        if first > self.position:
            self.add(self.position, first)

    def add(self, begin: int, end: int) -> None:
        """Take note that *begin* up to *end* is done with."""
        runs = self.runs
        low = bisect.bisect_left(runs, begin, key=lambda run: run[1])
        high = bisect.bisect_right(runs, end, key=lambda run: run[0])
        if low < high:  # those that it touches
            begin, end = min(begin, runs[low][0]), max(end, runs[high - 1][1])
        runs[low:high] = [(begin, end)]
        if runs[0][0] <= self.position:
            self.position = max(self.position, runs.pop(0)[1])

    def note(self) -> str:
        """Return the runs as text.

        Raises:
            LedgerFull: it is too long to be kept.
        """
        if not self.runs:
            return ""
        lengths, at = bytearray(), self.position
        for begin, end in self.runs:
            lengths += _number(begin - at) + _number(end - begin)
            at = end
        text = VERSION + base64.b85encode(min((_packed(lengths, each) for each in STRATEGIES), key=len)).decode()
        if len(text) > MAX_NOTE_CHARACTERS:
            raise LedgerFull(f"in {len(self.runs):,} pieces")
        return text

    @classmethod
    def read(cls, position: int, note: str) -> Ledger:
        """Return what was noted.

        Raises:
            ConfigurationError: the note is somebody else's.
        """
        if not note:
            return cls(position)
        runs, at = [], position
        try:
            numbers = _numbers(zlib.decompress(base64.b85decode(note.removeprefix(VERSION)), RAW))
            for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
                runs.append((at + gap, at + gap + length))
                at += gap + length
        except (ValueError, zlib.error):
            runs = []
        if not runs or not note.startswith(VERSION):
            raise ConfigurationError("it has a note that is none of a replay: name another group")
        return cls(position, runs)


_BEHIND = float("inf")


def _packed(lengths: bytearray, strategy: int) -> bytes:
    packing = zlib.compressobj(9, zlib.DEFLATED, RAW, 9, strategy)
    return packing.compress(lengths) + packing.flush()


def _number(value: int) -> bytes:
    """Return *value*, 7 bits a byte, the lowest first; all bytes but the last have the highest bit."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _numbers(written: bytes) -> list[int]:
    numbers, value, shift = [], 0, 0
    for byte in written:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value)
            value = shift = 0
    return numbers
