"""What the tests of batching share."""

import threading

from millstream.handlers.batching import Batch, BatchMessage
from millstream.handlers.batching.batch_run import BatchRun
from millstream.router import MONOTONIC, Assignment, Message, MessageRun
from millstream.router.delivery.settlement import DIVIDED

TIMEOUT = 10.0
"""Real seconds after which a condition that never comes true fails a test."""


def batch_message(payload=b"{}", *, assignment=None, item=None, index=0):
    """Return a batch message around a new message."""
    message = Message(payload, uuid="uuid", assignment=assignment, offset=0, partition=0, topic="events")
    return BatchMessage(message, item, index)


def assigned(count=1, payload=b"{}"):
    """Return an assignment and *count* batch messages on it."""
    assignment = Assignment("events", 0)
    return assignment, [batch_message(payload, assignment=assignment) for _ in range(count)]


class RecordingProcess:
    """A `process_batch` that records its batches and answers as it is told."""

    def __init__(self, *answers):
        self.batches: list[Batch] = []
        self._answers = list(answers)
        self._condition = threading.Condition()

    def __call__(self, batch):
        """Answer the next batch."""
        with self._condition:
            self.batches.append(batch)
            self._condition.notify_all()
            answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer):
            return answer(batch)
        return answer

    def wait(self, count):
        """Wait until *count* batches came; returns their sizes."""
        with self._condition:
            assert self._condition.wait_for(lambda: len(self.batches) >= count, TIMEOUT), self.sizes
        return self.sizes

    @property
    def sizes(self):
        """The sizes of the batches so far."""
        return [len(batch) for batch in self.batches]


class Gate:
    """Holds whoever passes it until it is opened."""

    def __init__(self):
        self.entered = threading.Event()
        self._opened = threading.Event()

    def __call__(self, batch):
        """Wait inside."""
        self.entered.set()
        assert self._opened.wait(TIMEOUT)

    def open(self):
        """Let everybody through."""
        self._opened.set()


def drain(batcher):
    """Drain with plenty of time."""
    return batcher.drain(MONOTONIC.now() + TIMEOUT)


def batch_run(*payloads, assignment=None, first=0):
    """Return a run of messages with *payloads* as rows of a batch; the item of each is its place."""
    run = message_run(*payloads, assignment=assignment, first=first)
    return BatchRun(run, list(range(len(payloads))))


def message_run(*payloads, assignment=None, first=0):
    """Return a run of messages with *payloads*, the first at the offset *first*."""
    assignment = Assignment("events", 0) if assignment is None else assignment
    return MessageRun(list(payloads), assignment, first, first + len(payloads) - 1)


def is_whole(run):
    """Whether nobody has told the messages of *run* apart."""
    return run.delivery.chain != DIVIDED
