"""How many messages a runner has begun with: what waits parked is not among them, nor what went while it did."""

from millstream.router import Assignment, TransientError
from millstream.router.running.runner import Retries, Runner
from millstream.router.testing import ManualClock
from tests.router.delivery.model.stand_ins import delivered


class Chunks:
    """Delivers what a test has put in."""

    def __init__(self, *chunks):
        self._chunks = list(chunks)

    def receive(self, max_messages, timeout):
        """Return the next chunk."""
        return self._chunks.pop(0) if self._chunks else []


def runner_of(source, chain, clock):
    """Return a runner whose steps the test takes."""
    return Runner(
        "h",
        source,
        chain,
        lambda message, produced: None,
        sink=None,
        retries=Retries(1.0, 1.0, 3),
        is_judged=False,
        now=clock.now,
        is_blocked=lambda: False,
        order_key=lambda message: message.assignment,
    )


def test_what_waits_parked_has_not_begun_and_what_went_never_will():
    """Of two partitions one is away: its messages count when their turn comes, or not at all."""
    clock, away, tried = ManualClock(), {0, 1}, []
    going, staying, good = (Assignment("t", number) for number in range(3))

    def chain(message):
        tried.append(message)
        if message.partition in away:
            raise TransientError("away")

    source = Chunks(*(delivered(each, range(5)) for each in (going, staying, good)))
    runner = runner_of(source, chain, clock)
    for _ in range(3):
        runner._step()
    parked = runner.begun
    runner.discard([going])
    away.clear()
    clock.advance(2.0)
    runner._step()

    assert (parked, runner.begun, len(tried)) == (5, 10, 12)
