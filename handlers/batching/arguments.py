"""What a batcher is given: a mistake of the program, told with a sentence that says what to write instead.

Each check raises ConfigurationError: it stops the router, where another error would be taken for that of a message.
"""

from __future__ import annotations

from collections.abc import Sequence

from millstream.router import ConfigurationError, Message
from millstream.router.callables import described, require_callable
from millstream.router.delivery.run import Entry

from .batch_message import BatchMessage
from .config import BatchConfig

WRITE = "pass BatchMessage(message, item)"


def require_right(name: str, config: object, process_batch: object) -> None:
    """Raise unless the batcher *name* can be made of these."""
    if not isinstance(config, BatchConfig):
        raise ConfigurationError(
            f"batcher {name!r}: config is {described(config)}: pass BatchConfig(…); the order is (config, process_batch)"
        )
    require_callable(f"batcher {name!r}: process_batch", process_batch, "the batch")


def require_given(name: str, entry: Entry) -> None:
    """Raise where *entry* comes from a router: it starts its batchers first, so the batcher *name* that is not started is none.

    Nobody would flush what it has when the router closes, nor when a partition goes.
    """
    assignment = entry.assignment
    if assignment is not None and assignment.route is not None:
        raise ConfigurationError(
            f"batcher {name!r} gets messages of handler {assignment.route.handler!r} but was not given to the router:"
            " router.add_worker(batcher)"
        )


def require_items(name: str, items: object) -> None:
    """Raise unless *items* are what the batcher *name* takes. For one that has met an error: no message pays for it."""
    if not isinstance(items, Sequence):
        raise ConfigurationError(f"batcher {name!r}: pass a list of BatchMessage: add_all was given {_kind(items)}")
    for each in items:
        if not isinstance(each, BatchMessage):
            raise ConfigurationError(f"batcher {name!r}: {WRITE}: it was given {_kind(each)}")
        if not isinstance(each.message, Message):
            raise ConfigurationError(f"batcher {name!r}: {WRITE}: its message is {_kind(each.message)}")


def _kind(value: object) -> str:
    """Return what *value* is, without what is in it: it may be a payload."""
    return "None" if value is None else f"a {type(value).__name__}"
