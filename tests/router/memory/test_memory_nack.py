"""Messages that are nacked outside a router come again."""

import threading

import pytest

from millstream.router import InMemoryConfig, InMemoryPubSub, Message
from millstream.router.testing import ManualClock

DELAY = 5.0


class Setting:
    """A pub/sub on a manual clock, its subscription and *count* published messages."""

    def __init__(self, count, **options):
        self.clock = ManualClock()
        self.pubsub = InMemoryPubSub(InMemoryConfig(nack_resend_delay=DELAY, **options), clock=self.clock)
        self.subscription = self.pubsub.subscribe("t")
        self.publish(*range(count))

    def publish(self, *numbers):
        """Publish messages with these numbers for payload."""
        self.pubsub.publish("t", *[Message(b"%d" % number) for number in numbers])

    def receive(self, count=1000):
        """Receive the chunk that is there now."""
        return self.subscription.receive(count, 0.0)

    def numbers(self, count=1000):
        """Return the numbers of the chunk that is there now."""
        return [int(message.payload) for message in self.receive(count)]


def test_nacked_message_comes_again_after_the_delay():
    """The same message, undecided again, and it knows how often."""
    setting = Setting(1)
    (message,) = setting.receive()
    message.nack()
    seen = [setting.receive()]
    setting.clock.advance(DELAY - 0.001)
    seen.append(setting.receive())
    setting.clock.advance(0.001)

    (again,) = setting.receive()

    assert seen == [[], []]
    assert again is message
    assert (again.redeliveries, again.is_nacked, setting.subscription.committed) == (1, False, {0: 0})
    again.ack()
    assert setting.subscription.committed == {0: 1}


def test_nacked_message_comes_before_any_later_one_of_its_partition():
    """What is published, or waits in the buffer, must not overtake it."""
    setting = Setting(3)
    (message,) = setting.receive(1)
    message.nack()
    setting.publish(3)
    waiting = setting.receive()

    setting.clock.advance(DELAY)

    assert waiting == []
    assert [setting.numbers(), setting.numbers()] == [[0], [1, 2, 3]]


def test_other_partitions_go_on_while_one_waits():
    """A nack delays its own partition only."""
    setting = Setting(4, partitions=2)
    (message,) = setting.receive(1)
    message.nack()

    numbers = [setting.numbers(), setting.numbers()]

    assert numbers == [[1, 3], []]
    setting.clock.advance(DELAY)
    assert [setting.numbers(), setting.numbers()] == [[0], [2]]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_several_nacked_messages_come_again_in_their_order(order):
    """In whatever order they were refused: an earlier message is never overtaken."""
    setting = Setting(4)
    chunk = setting.receive(3)
    for place in order:
        chunk[place].nack()

    setting.clock.advance(DELAY)

    assert [setting.numbers(), setting.numbers()] == [[0, 1, 2], [3]]


def test_redelivered_messages_come_in_chunks_of_the_wanted_size():
    """A reader that asks for one gets one, and the next one next; none is marked as redelivered before it is."""
    setting = Setting(4)
    chunk = setting.receive(3)
    for message in chunk:
        message.nack()
    setting.clock.advance(DELAY)

    first = setting.numbers(1)
    counts = [message.redeliveries for message in chunk]

    assert (first, counts) == ([0], [1, 0, 0])
    assert [setting.numbers(1), setting.numbers(1), setting.numbers(1)] == [[1], [2], [3]]


def test_redelivered_chunk_is_of_one_partition():
    """Like every chunk."""
    setting = Setting(4, partitions=2)
    for message in setting.receive() + setting.receive():
        message.nack()

    setting.clock.advance(DELAY)

    assert sorted([setting.numbers(), setting.numbers()]) == [[0, 2], [1, 3]]
    assert setting.receive() == []


def test_message_nacked_again_comes_again():
    """As often as it is refused: without a router there is no limit."""
    setting = Setting(1)
    (message,) = setting.receive()
    for _ in range(3):
        message.nack()
        setting.clock.advance(DELAY)
        (message,) = setting.receive()

    assert message.redeliveries == 3


def test_waiting_receiver_gets_the_message_when_its_moment_comes():
    """Nobody need ask again: the wait ends with the delay, not with the receiver's own time-out."""
    setting = Setting(1)
    setting.receive()[0].nack()
    got = []
    thread = threading.Thread(target=lambda: got.extend(setting.subscription.receive(10, 1e6)), daemon=True)
    thread.start()
    assert setting.clock.wait_for_waiters()

    setting.clock.advance(DELAY)
    thread.join(10.0)

    assert [message.payload for message in got] == [b"0"]


def test_nack_wakes_a_waiting_receiver():
    """The receiver waited without an end in sight; now there is one."""
    setting = Setting(1)
    (message,) = setting.receive()
    got = []
    thread = threading.Thread(target=lambda: got.extend(setting.subscription.receive(10, 1e6)), daemon=True)
    thread.start()
    assert setting.clock.wait_for_waiters()

    message.nack()
    setting.clock.advance(DELAY)
    thread.join(10.0)

    assert got == [message]
