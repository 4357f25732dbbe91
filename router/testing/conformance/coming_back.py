"""Reading what is there and no more: up to messages that are published at the moment of asking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...delivery.message import Message
from ...protocols import Subscription
from .reading import CHUNK_MESSAGES, next_chunk
from .trial import Trial


def read_up_to_now(trial: Trial, subscription: Subscription, topic: str, keys: Iterable[bytes | None]) -> list[Message]:
    """Receive what was published to *topic* with one of *keys* until now; nothing is acked, what is delivered again comes again.

    Ends at messages that are published for it, one for each key: each stands behind all others of its key.
    """
    last = [Message(b"last", key=key) for key in set(keys)]
    trial.publish(last, topic)
    awaited = {message.uuid for message in last}
    received: list[Message] = []
    while not awaited.issubset(message.uuid for message in received):
        received += next_chunk(subscription, CHUNK_MESSAGES, trial.features.idle_timeout)
    return [message for message in received if message.uuid not in awaited]


def come_back(trial: Trial, sent: Sequence[Message]) -> list[str]:
    """Return the uuids of those of *sent* that come to the group again when everything was closed and is opened anew."""
    trial.reopen()
    came = read_up_to_now(trial, trial.subscribe(), trial.topic, {message.key for message in sent})
    return [message.uuid for message in came]
