"""Decoding the events of a chunk together where their messages go through the chain one by one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from millstream.handlers.batching import BatchMessage, MessageBatcher
from millstream.router import HandlerFunc, Message

from .event import Event

DecodeEvents = Callable[[Sequence[bytes]], Sequence[Event] | None]
"""Parses payloads, one event each; `None`: one of them may be odd."""


class _Known(threading.local):
    """What a thread has decoded ahead."""

    def __init__(self) -> None:
        self.events: dict[int, Event] = {}
        """By the identity of their payloads."""
        self.payloads: Sequence[bytes] = ()
        """Kept as long, so that no other bytes get the identity of one of them."""


class DecodeAhead:
    """A handler that batches the event of each message, and finds those of a chunk decoded already.

    Whatever was not, such as an odd event, its neighbours, and what a middleware has put into the place of a payload, goes to
    *function* as ever.

    Args:
        function: takes a message: decodes it and hands it to *batcher*.
        decode: decodes many.
        batcher: takes the events.
    """

    def __init__(self, function: HandlerFunc, decode: DecodeEvents, batcher: MessageBatcher) -> None:
        self._function = function
        self._decode = decode
        self._batcher = batcher
        self._known = _Known()

    def prepare(self, payloads: Sequence[bytes]) -> None:
        """Decode *payloads*, which come next on this thread; see `Handler.prepare`."""
        events = self._decode(payloads)
        if events is None:
            payloads = events = ()  # large ones are not decoded together, and would be kept for nothing
        self._known.events = dict(zip(map(id, payloads), events, strict=True))
        self._known.payloads = payloads

    def __call__(self, message: Message) -> None:
        """Batch the event of *message*; raises what *function* does."""
        event = self._known.events.get(id(message.payload))
        if event is None:
            self._function(message)
        else:
            self._batcher.add(BatchMessage(message, event))
