"""One member of the group, in a process of its own: takes a hold on every message and releases it later, from another thread.

Called with brokers, topic, the folder of the ledger, and the subscriber's options as JSON. In that folder it writes a file of its
own, in writes that survive a SIGKILL: what it was given, what it is about to release, that it has released the last, that it has
left; see `ledger`. From "ready" on a SIGTERM ends it in order.
"""

import json
import os
import random
import sys
import threading
import time
from collections import deque
from itertools import islice
from pathlib import Path

from millstream.router import Router, SignalsHandler
from millstream.router.kafka import KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.worker_thread import WorkerThread

SHORT_SECONDS, LONG_SECONDS = 0.005, 0.3
"""Between releases: mostly short, now and then long enough for a rebalance to find much that is held."""


class Diary:
    """What this member does, written down at once."""

    def __init__(self, folder):
        self._file = os.open(Path(folder) / str(os.getpid()), os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, kind, messages=()):
        """Add a line."""
        places = "".join(f" {message.partition}:{message.offset}" for message in messages)
        os.write(self._file, f"{time.monotonic_ns()} {kind}{places}\n".encode())


class Releaser:
    """A worker that releases what it holds, batch by batch."""

    name = "releaser"

    def __init__(self, diary):
        self._diary = diary
        self._holds = deque()
        self._hurry = threading.Event()
        self._is_draining = False
        self._random = random.Random(os.getpid())
        self._thread = WorkerThread(self.name, self._run)

    @property
    def error(self):
        """What the thread died of."""
        return self._thread.error

    def handle(self, message):
        """Hold *message*."""
        self._diary.write("delivered", [message])
        self._holds.append(message.hold(self))

    def start(self):
        """Start to release."""
        self._thread.start()

    def seal(self, assignments, deadline):
        """Release at once what there is."""
        self._hurry.set()

    def drain(self, deadline):
        """Release everything and stop."""
        self._is_draining = True
        self._hurry.set()
        is_drained = self._thread.join(deadline) and not self._holds
        self._diary.write("drained")
        return is_drained

    def abandon(self, assignments):
        """Nothing to do: void holds are dropped."""

    def _run(self):
        while not (self._is_draining and not self._holds):
            longest = LONG_SECONDS if self._random.random() < 0.2 else SHORT_SECONDS
            self._hurry.wait(self._random.random() * longest)
            self._hurry.clear()
            self._release([self._holds.popleft() for _ in islice(self._holds.copy(), 2000)])

    def _release(self, holds):
        ours = [hold for hold in holds if not hold.is_void]
        if not ours:
            return
        self._diary.write("settled", [hold.message for hold in ours])
        for hold in ours:
            hold.release()


def say_ready():
    """Tell whoever started this process."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def main(brokers, topic, folder, options):
    """Take part until a signal."""
    diary = Diary(folder)
    releaser, router = Releaser(diary), Router()
    subscriber = KafkaSubscriber(KafkaSubscriberConfig(brokers=[brokers], group_id=topic, **json.loads(options)))
    router.add_consumer_handler("hold", topic, subscriber, releaser.handle)
    router.add_worker(releaser)
    router.add_plugin(SignalsHandler(), lambda router: say_ready())
    router.run()
    diary.write("left")


if __name__ == "__main__":
    main(*sys.argv[1:])
