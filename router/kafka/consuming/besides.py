"""What messages weigh besides their payload: keys and headers, which count in the bounds of bytes as well.

To read them of every record would cost more than half of all else that happens to it here (0.6 µs of 1 µs), so they are read of
one in `SAMPLE_EVERY`, and those up to the next are taken to be like it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...delivery.message import Message
from ...delivery.run import CHUNK_MESSAGES
from .received import ReceivedRun

SAMPLE_EVERY = CHUNK_MESSAGES
"""One in a full poll, of which one record at most can be read. To read one costs 3 to 6 µs: some ns for each message."""


class Besides:
    """Tells what runs of one subscription weigh besides their payloads. For the poll thread only."""

    def __init__(self) -> None:
        self._each = 0
        """Bytes of key and headers of the message that was read last."""
        self._since = SAMPLE_EVERY
        """Messages since then."""

    def of(self, run: Sequence[Message]) -> int:
        """Return about how many bytes the keys and headers of *run* have."""
        return self._of(len(run), run.__getitem__)

    def of_run(self, run: ReceivedRun) -> int:
        """Return the same of messages that are not made yet."""
        return self._of(len(run.payloads), run.look_at)

    def _of(self, count: int, message: Callable[[int], Message]) -> int:
        self._since += count
        if self._since >= SAMPLE_EVERY and count:
            self._each = _besides_payload(message(self._since % count))
            self._since = 0
        return self._each * count


def _besides_payload(message: Message) -> int:
    """Return the bytes of the key and, in characters, of the headers, the uuid's among them."""
    headers = sum([len(name) + len(value) for name, value in message.metadata.items()])
    return len(message.key or b"") + len(message.uuid) + headers
