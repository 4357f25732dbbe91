"""What stands still while a batch waits for its store, and goes on with it."""

import threading

from millstream.router import TransientError
from millstream.router.testing import eventually
from tests.handlers.batching.batching_aids import assigned


def test_partitions_of_a_batch_that_waits_are_not_fetched_from(batcher):
    """Expect them to be stopped once the retries are used up, and to go on with the batch."""
    is_back, attempts = threading.Event(), []

    def process(batch):
        attempts.append(len(batch))
        if not is_back.is_set():
            raise TransientError("store down")

    one = batcher(process, batch_size=2, max_retries=1, retry_interval=0.01, wait_interval=0.01)
    assignment, messages = assigned(2)
    other, more = assigned(1)
    before = assignment.is_stopped
    one.add_all(messages[:1])
    one.add_all(more)
    stopped = eventually(lambda: assignment.is_stopped and other.is_stopped)
    tried = len(attempts)
    is_back.set()

    assert not before
    assert stopped
    assert tried >= 2
    assert eventually(lambda: not assignment.is_stopped and not other.is_stopped)


def test_partition_whose_batch_is_only_tried_again_goes_on(batcher):
    """Expect more to be taken in while retries are left: most troubles are over by then."""
    errors, seen = [TransientError("a moment")], []

    def process(batch):
        seen.append(batch[0].message.assignment.is_stopped)
        if errors:
            raise errors.pop()

    one = batcher(process, batch_size=1, max_retries=3, retry_interval=0.01)
    assignment, messages = assigned(1)
    one.add_all(messages)

    assert eventually(lambda: len(seen) == 2)
    assert seen == [False, False]
    assert not assignment.is_stopped
