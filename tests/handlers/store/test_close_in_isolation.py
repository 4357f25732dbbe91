"""A batch that takes long, as many of its rows are refused, ends with the time to close: what is through is settled."""

import msgspec

from millstream.handlers.batching import BatchConfig, BatchMessage, MessageBatcher
from millstream.router import MONOTONIC, Message
from tests.handlers.store.own_table_aids import GOOD, SERVER, ForgetfulStore, Row, line, numbers, table_in

KINDS = [GOOD, GOOD, GOOD, SERVER] * 10
CLOSE_SECONDS = 20.0


class Leaping:
    """The real clock, and what somebody has let pass beside."""

    def __init__(self):
        self.passed = 0.0

    def now(self):
        """Return the seconds of both."""
        return MONOTONIC.now() + self.passed

    def wait_until(self, condition, deadline):
        """Wait in real time."""
        MONOTONIC.wait_until(condition, None if deadline is None else deadline - self.passed)


class SlowStore(ForgetfulStore):
    """A store that takes a second for each INSERT, by the clock that it is given."""

    def __init__(self, clock):
        super().__init__()
        self._clock = clock

    def insert_lines(self, *arguments):
        """Let the second pass."""
        self._clock.passed += 1.0
        super().insert_lines(*arguments)


def closed(seconds):
    """Close while all rows are in the batcher, and have *seconds* for that: the store, the messages, the batcher and its word."""
    clock = Leaping()
    store = SlowStore(clock)
    table = table_in(store)
    config = BatchConfig(batch_size=1000, flush_interval=3600.0)
    batcher = MessageBatcher(config, lambda batch: table.store(batch, line), clock=clock)
    messages = []
    for each in enumerate(KINDS):
        message = Message(msgspec.json.encode(Row(*each)))
        batcher.add(BatchMessage(message, Row(*each)))
        message.ack()
        messages.append(message)
    return store, messages, batcher, batcher.drain(clock.now() + seconds)


def test_what_is_stored_at_the_end_of_the_time_to_close_is_settled():
    """It would come again else, with every row that is in the table by then."""
    store, messages, batcher, is_done = closed(CLOSE_SECONDS)
    through = [message.payload for message in messages if message.is_settled or message.failures]
    good = [payload for payload in through if GOOD.encode() in payload]

    assert not is_done
    assert numbers(store.rows()) == numbers(good)
    assert 0 < len(good) < KINDS.count(GOOD)
    assert numbers(through) == list(range(len(through)))
    assert batcher.error is None
    assert f"no time for the last {len(KINDS) - len(through)} messages of a batch" in batcher.last_error


def test_a_batch_that_is_through_in_time_is_not_cut():
    """Only what is left of the time counts."""
    store, _, batcher, is_done = closed(1000.0)

    assert is_done
    assert len(store.rows()) == KINDS.count(GOOD)
    assert batcher.last_error == ""


def test_a_quarter_of_a_short_time_is_kept_for_what_comes_behind_the_table():
    """Fewer INSERTs than seconds: the rest is for what is done with the rows that are stored."""
    store, *_ = closed(8.0)

    assert store.insert_count() == 6
