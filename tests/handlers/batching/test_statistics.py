"""What a batcher says of itself."""

from millstream.handlers.batching import BatchConfig, MessageBatcher
from millstream.router import TransientError
from millstream.router.testing import ManualClock, eventually
from tests.handlers.batching.batching_aids import TIMEOUT, Gate, batch_message, drain
from tests.handlers.events.service_aids import make_service


def told(batcher):
    """Return the numbers that are told, by name, without those that are nothing."""
    statistics = batcher.statistics()
    return {name: value for name in statistics.__struct_fields__ if (value := getattr(statistics, name))}


def test_a_new_batcher_has_nothing():
    """It has not even started."""
    assert told(MessageBatcher(BatchConfig(), print)) == {"state": "not started"}


def test_what_waits_and_what_is_in_hand_is_told_with_the_age_of_the_oldest():
    """Ages go by the clock of the batcher, and a batch in hand is as old as the oldest row in it."""
    clock, gate = ManualClock(), Gate()
    batcher = MessageBatcher(BatchConfig(batch_size=2), gate, clock=clock)
    batcher.add(batch_message(b"12345"))
    clock.advance(1.0)
    first = told(batcher)
    batcher.add(batch_message(b"123"))
    assert gate.entered.wait(TIMEOUT)
    clock.advance(0.5)
    batcher.add(batch_message(b"1"))
    second = told(batcher)
    gate.open()
    assert eventually(lambda: batcher.messages == 2)
    clock.advance(0.25)
    third = told(batcher)
    assert drain(batcher)

    assert first == {"state": "collecting", "buffered": 1, "size_bytes": 5, "oldest_age": 1.0}
    assert second == {
        "state": "processing",
        "buffered": 1,
        "in_hand": 2,
        "size_bytes": 9,
        "oldest_age": 1.5,
        "flushes": {"size": 1},
    }
    assert third == {
        "state": "collecting",
        "buffered": 1,
        "size_bytes": 1,
        "oldest_age": 0.25,
        "batches": 1,
        "messages": 2,
        "flushes": {"size": 1},
    }
    assert told(batcher) == {"state": "stopped", "batches": 2, "messages": 3, "flushes": {"size": 1, "shutdown": 1}}


def test_a_batch_that_comes_again_is_told_with_why():
    """Its retries count, and what keeps it is said until it is done."""
    clock = ManualClock()
    answers = [TransientError("the store is away"), None]

    def process(_batch):
        if error := answers.pop(0):
            raise error

    batcher = MessageBatcher(BatchConfig(batch_size=1, retry_interval=1.0), process, clock=clock)
    batcher.add(batch_message(b"1"))
    assert eventually(lambda: batcher.retries == 1)
    assert clock.wait_for_waiters(1)
    waiting = told(batcher)
    clock.advance(10.0)
    assert eventually(lambda: batcher.messages == 1)
    assert eventually(lambda: batcher.statistics().state == "idle")
    done = told(batcher)
    assert drain(batcher)

    assert "the store is away" in waiting.pop("last_error")
    assert waiting == {"state": "waiting", "in_hand": 1, "size_bytes": 1, "flushes": {"size": 1}, "retries": 1}
    assert done == {"state": "idle", "batches": 1, "messages": 1, "flushes": {"size": 1}, "retries": 1}


def test_a_service_tells_of_the_lanes_that_have_started():
    """By the names of their handlers."""
    service = make_service()
    before = service.statistics()
    service.message_batcher.start()

    assert before == {}
    assert {name: each.state for name, each in service.statistics().items()} == {"event_consumption_handler": "idle"}
    assert drain(service.message_batcher)
