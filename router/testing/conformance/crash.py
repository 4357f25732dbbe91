"""A reader in a process of its own that is killed: what a crash leaves behind cannot be seen inside one process."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

from ...protocols import Subscriber
from .checks import require
from .reading import read

READ_SECONDS = 60.0
"""For a new process to import everything, join the group and read, on a busy machine."""


def read_and_be_killed(
    open_subscriber: Callable[[], Subscriber], topic: str, count: int, *, linger: float = 2.0
) -> None:
    """Receive and ack *count* messages of *topic* in a new process, and kill that when nothing has come for *linger* seconds.

    Args:
        open_subscriber: opens the subscriber there; it must be possible to pickle it, as `partial(MySubscriber, config)` is.
        linger: seconds in which the subscriber commits by itself, with plenty to spare.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_read_until_killed, args=(open_subscriber, topic, count, linger, theirs), daemon=True
    )
    process.start()
    try:
        has_read = ours.poll(READ_SECONDS)
        received = ours.recv() if has_read else 0
    finally:
        process.kill()
        process.join()
        process.close()
    require(received == count, f"the reader that is to crash got {received} of {count} messages")


def _read_until_killed(
    open_subscriber: Callable[[], Subscriber], topic: str, count: int, linger: float, done: Connection
) -> None:
    subscription = open_subscriber().subscribe(topic)
    received = read(subscription, count, READ_SECONDS)
    subscription.receive(1, linger)
    done.send(len(received))
    threading.Event().wait()
