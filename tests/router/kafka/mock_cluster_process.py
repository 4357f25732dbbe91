"""The mock cluster in a process of its own, with the same calls: for tests that kill or freeze what talks to it, or it.

The process is this file, driven by lines of JSON: `{"call": name, "arguments": [...]}` in, `{"result": ...}` or
`{"error": ...}` out. It ends when its input does, so it never outlives the test process, however that ends.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from tests.router.kafka.mock_cluster import ALL, MockCluster, Seen

ROOT = Path(__file__).parents[3]
"""First on the child's path, so that it runs the tree that these tests stand in."""

STOP_TIMEOUT = 60.0
"""Seconds that the process may take to end once its input has; it needs milliseconds."""


class MockClusterProcess:
    """`MockCluster` elsewhere: the methods do and raise what those of the same name do there.

    One thread at a time may call. While the process is frozen every call waits for `thaw`.
    """

    def __init__(self, brokers: int = 3) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.router.kafka.mock_cluster_process", str(brokers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.bootstrap_servers: str = self._read()
        """What goes into `bootstrap.servers`."""

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def close(self) -> None:
        """End the process, frozen or not, and wait for its end; a second call does nothing."""
        self.thaw()
        if self._process.stdin is not None:
            # A process that was killed takes no more input.
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def kill(self) -> None:
        """End the process with SIGKILL: all brokers vanish at once, with their records."""
        self._process.kill()
        self._process.wait(STOP_TIMEOUT)

    def freeze(self) -> None:
        """Stop the process with SIGSTOP: connections stay open and nothing answers."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self._process.send_signal(signal.SIGCONT)

    def create_topic(self, topic: str, partitions: int = 1, replicas: int = 1) -> None:
        """See `MockCluster.create_topic`."""
        self._call("create_topic", topic, partitions, replicas)

    def delete_topic(self, topic: str) -> None:
        """See `MockCluster.delete_topic`."""
        self._call("delete_topic", topic)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """See `MockCluster.delete_records`."""
        self._call("delete_records", topic, partition, before)

    def set_topic_error(self, topic: str, error: int) -> None:
        """See `MockCluster.set_topic_error`."""
        self._call("set_topic_error", topic, error)

    def set_leader(self, topic: str, partition: int, broker: int) -> None:
        """See `MockCluster.set_leader`."""
        self._call("set_leader", topic, partition, broker)

    def set_coordinator(self, group: str, broker: int) -> None:
        """See `MockCluster.set_coordinator`."""
        self._call("set_coordinator", group, broker)

    def set_down(self, broker: int = ALL) -> None:
        """See `MockCluster.set_down`."""
        self._call("set_down", broker)

    def set_up(self, broker: int = ALL) -> None:
        """See `MockCluster.set_up`."""
        self._call("set_up", broker)

    def set_delay(self, seconds: float, broker: int = ALL) -> None:
        """See `MockCluster.set_delay`."""
        self._call("set_delay", seconds, broker)

    def fail(self, request: int, *errors: int) -> None:
        """See `MockCluster.fail`."""
        self._call("fail", request, *errors)

    def delay(self, request: int, seconds: float, error: int = 0, broker: int = ALL) -> None:
        """See `MockCluster.delay`."""
        self._call("delay", request, seconds, error, broker)

    def forget_faults(self, request: int) -> None:
        """See `MockCluster.forget_faults`."""
        self._call("forget_faults", request)

    def set_group_times(self, session: float, heartbeat: float) -> None:
        """See `MockCluster.set_group_times`."""
        self._call("set_group_times", session, heartbeat)

    def watch(self) -> None:
        """See `MockCluster.watch`."""
        self._call("watch")

    def requests(self, request: int | None = None) -> list[Seen]:
        """See `MockCluster.requests`."""
        return [Seen(*pair) for pair in self._call("requests", request)]

    def _call(self, name: str, *arguments: Any) -> Any:
        if self._process.stdin is None:
            raise RuntimeError("the mock cluster's process has no input")
        # Numbers of an enum become plain ones.
        self._process.stdin.write(json.dumps({"call": name, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise RuntimeError("the mock cluster's process has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise KafkaException(KafkaError(answer["error"]))
        return answer["result"]


def serve(brokers: int) -> None:
    """Run a cluster and do what the lines of the standard input say, until it ends."""
    cluster = MockCluster(brokers)
    # A cut connection of the test's own terminal (Ctrl-C) must not take the brokers away before the test has ended.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answer({"result": cluster.bootstrap_servers})
    for line in sys.stdin:
        order = json.loads(line)
        try:
            result = getattr(cluster, order["call"])(*order["arguments"])
        except KafkaException as error:
            answer({"error": error.args[0].code()})
        else:
            answer({"result": [[each.broker, each.request] for each in result] if result else result})
    cluster.close()


def answer(content: dict[str, Any]) -> None:
    """Write one line of JSON for the test process."""
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def running_process(brokers: int = 3) -> Iterator[MockClusterProcess]:
    """Run a mock cluster in a process of its own for the time of a `with` block."""
    cluster = MockClusterProcess(brokers)
    try:
        yield cluster
    finally:
        cluster.close()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
