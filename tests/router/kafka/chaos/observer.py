"""Somebody outside the group who looks at what it has committed, many times a second."""

import threading
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from millstream.router.worker_thread import WorkerThread

LOOK_SECONDS = 0.05
"""From the beginning of one look to that of the next: half of the 100 ms that the promise is about, as an answer takes time."""
ANSWER_SECONDS = 2.0
END_SECONDS = 30.0


class Observer:
    """Looks from `start` to `stop`, on a thread of its own."""

    def __init__(self, brokers, group, topic, partitions):
        self.looks = []
        """When the broker had answered (monotonic nanoseconds), and the committed offset of each partition that has one."""
        self._consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "log_level": 0})
        self._places = [TopicPartition(topic, partition) for partition in range(partitions)]
        self._done = threading.Event()
        self._thread = WorkerThread("observing", self._run)

    @property
    def newest(self):
        """What the last look has seen."""
        return self.looks[-1][1] if self.looks else None

    def start(self):
        """Begin to look."""
        self._thread.start()

    def stop(self):
        """Look no more; raises what went wrong."""
        self._done.set()
        assert self._thread.join(time.monotonic() + END_SECONDS)
        self._consumer.close()
        if self._thread.error is not None:
            raise self._thread.error

    def _run(self):
        due = time.monotonic()
        while not self._done.wait(max(0.0, due - time.monotonic())):
            due = max(due + LOOK_SECONDS, time.monotonic())
            try:
                answer = self._consumer.committed(self._places, ANSWER_SECONDS)
            except KafkaException:
                continue  # a coordinator that is busy with a rebalance; how long nothing was seen is looked at in the end
            self.looks.append(
                (time.monotonic_ns(), {each.partition: each.offset for each in answer if each.offset >= 0})
            )
