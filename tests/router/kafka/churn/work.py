"""What the members of the churn do with their messages; each payload is a number of its own."""

import random
import threading
from collections import Counter

from millstream.handlers.batching import BatchConfig, BatchMessage, BatchResult, MessageBatcher
from millstream.middleware import FailurePolicy, InstantAck, Retry
from millstream.router import PermanentError, Router, RouterConfig

CLOSE_SECONDS = 30.0


class Records:
    """A poison writer that counts, for all members."""

    def __init__(self):
        self.count = Counter()

    def write(self, messages):
        """Count *messages*."""
        self.count.update(int(message.payload) for message in messages)

    def close(self):
        """Nothing is held."""


class Plain:
    """Every message is handled as it comes."""

    def __init__(self, chance):
        self.done = Counter()
        self.poisoned = Records()

    def router(self, name, topic, subscriber):
        """Return a router of one member."""
        router, pause = Router(RouterConfig(close_timeout=CLOSE_SECONDS)), threading.Event()

        def handle(message) -> None:
            self.done[int(message.payload)] += 1
            pause.wait(0.002)

        router.add_consumer_handler(name, topic, subscriber, handle)
        return router


class Batched:
    """A batcher behind the handler, and all that may happen to a message: errors, nacks, retries, poison, a store away."""

    def __init__(self, chance):
        self.done = Counter()
        self.poisoned = Records()
        self._chance = chance
        self._tries = Counter()

    def router(self, name, topic, subscriber):
        """Return a router of one member."""
        config = BatchConfig(batch_size=50, flush_interval=self._chance.choice([0.1, 0.5, 2.0]), retry_interval=0.05)
        batcher = MessageBatcher(config, self._process, name=f"batcher-{name}")
        router = Router(RouterConfig(close_timeout=CLOSE_SECONDS, nack_resend_delay=0.05))
        router.add_worker(batcher)
        if self._chance.random() < 0.5:
            router.add_middleware(InstantAck())
        router.add_middleware(FailurePolicy(retry=Retry(max_retries=2, initial_interval=0.05)))

        def handle(message) -> None:
            if not self._has_failed(message, int(message.payload)):
                batcher.add(BatchMessage(message, None))

        router.add_consumer_handler(name, topic, subscriber, handle, poison=self.poisoned)
        return router

    def _has_failed(self, message, number):
        self._tries[number] += 1
        if number % 97 == 0:
            raise PermanentError("never")
        if self._tries[number] > 1:
            return False
        if number % 53 == 0:
            raise ConnectionError("for a moment")
        return number % 59 == 0 and message.nack()

    def _process(self, batch):
        if random.random() < 0.05:
            raise ConnectionError("the store is away")
        threading.Event().wait(random.random() * 0.1)
        refused = {place: PermanentError("bad row") for place, each in enumerate(batch) if number_of(each) % 101 == 0}
        self.done.update(number_of(each) for place, each in enumerate(batch) if place not in refused)
        return BatchResult.all_but(refused, batch)


def number_of(item):
    """Return the number of the message behind *item*, a `BatchMessage`."""
    return int(item.message.payload)
