"""A real Apache Kafka for tests: what `KAFKA_BOOTSTRAP_SERVERS` names, or one of our own from `scripts/kafka`.

Topics and groups get names that nobody else has, so tests share a broker without meeting. Only our own can be killed.
"""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from confluent_kafka.cimpl import NewTopic

from millstream.router.worker_thread import WorkerThread

SCRIPT = Path(__file__).parents[3] / "scripts" / "kafka"
USER, PASSWORD = "millstream", "millstream-secret"
"""The one user that our own broker knows."""

TIMEOUT = 90.0
"""Seconds for one answer of the broker, also when the machine is busy."""

START_TIMEOUT = 240.0
"""Seconds for a start, the first one with its download included; less than what ends a run that hangs."""

BROKER_RETURNS = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.INVALID_REPLICATION_FACTOR,  # all brokers are fenced
        KafkaError._NOENT,  # librdkafka's word for it: no partition has a leader
    }
)
"""What a broker says for a moment after its start, or when it was frozen."""
ASK_AGAIN_SECONDS = 0.05

GROUPS_LOST = "is out of sync with the underlying log"
"""What the log of a broker says, whose next lines tell that it has failed to mend it: see `OwnKafka.mend`."""

_numbers = itertools.count(1)
_run = uuid.uuid4().hex[:8]


def unique(prefix: str) -> str:
    """Return a name that no other test, and no other run on the same broker, uses."""
    return f"{prefix}-{_run}-{next(_numbers)}"


def wait_until(condition: Callable[[], object], what: str, timeout: float = TIMEOUT) -> None:
    """Ask for *condition*, which has to take its time by itself, until it holds; AssertionError after *timeout* seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout:.0f} s"


def insist(ask: Callable[[], object]) -> None:
    """Call *ask* again while the broker answers that it has only just returned."""

    def is_done() -> bool:
        try:
            ask()
        except KafkaException as error:
            if error.args[0].code() not in BROKER_RETURNS:
                raise
            threading.Event().wait(ASK_AGAIN_SECONDS)
            return False
        return True

    wait_until(is_done, "an answer of a broker that has returned")


def run_script(command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `scripts/kafka` with *command* and wait for it."""
    environment = {**os.environ, "PYTHON": sys.executable}
    line = [str(SCRIPT), command, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, env=environment, check=False, timeout=START_TIMEOUT)


class RealKafka:
    """A broker that is there, with what tests ask of it."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        """What goes into `bootstrap.servers`; without TLS and SASL."""
        self._admin: AdminClient | None = None
        self._outsiders: dict[str, Consumer] = {}
        """By group; see `committed`."""
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        for outsider in self._outsiders.values():
            outsider.close()

    def create_topic(self, partitions: int = 1, config: Mapping[str, str] | None = None, prefix: str = "topic") -> str:
        """Create a topic with a name of its own and return that once clients can see it and every partition is served."""
        topic = unique(prefix)
        new = NewTopic(topic, partitions, 1, config=dict(config or {}))
        insist(lambda: self.admin.create_topics([new])[topic].result(TIMEOUT))

        def is_served() -> bool:
            try:
                return len(self.end_offsets(topic)) == partitions
            except KafkaException:  # its leader knows of it later than of its name
                return False

        wait_until(is_served, topic)
        return topic

    def delete_topic(self, topic: str) -> None:
        """Delete *topic* with its records."""
        self.admin.delete_topics([topic])[topic].result(TIMEOUT)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Drop the records below the offset *before*, as retention does."""
        place = TopicPartition(topic, partition, before)
        self.admin.delete_records([place])[place].result(TIMEOUT)

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Return, for each partition, the offset that its next record gets."""
        partitions = self.admin.list_topics(topic, TIMEOUT).topics[topic].partitions
        asked = {TopicPartition(topic, number): OffsetSpec.latest() for number in partitions}
        ends: dict[int, int] = {}

        def ask() -> None:
            for place, answer in self.admin.list_offsets(asked).items():
                ends[place.partition] = answer.result(TIMEOUT).offset

        insist(ask)
        return ends

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Return, for each partition of *topic* where *group* has committed, the next offset; asked from outside the group.

        By a consumer that never joins: when an admin client asks the same and the broker answers "no coordinator yet", as it
        does right after its start, librdkafka 2.16 dereferences a null pointer.
        """
        with self._lock:
            if group not in self._outsiders:
                settings = {"bootstrap.servers": self.bootstrap_servers, "group.id": group, "log_level": 0}
                self._outsiders[group] = Consumer({**settings, "enable.auto.commit": False})
            outsider = self._outsiders[group]
        partitions = self.admin.list_topics(topic, TIMEOUT).topics[topic].partitions
        places = [TopicPartition(topic, number) for number in partitions]
        answer: list[TopicPartition] = []
        insist(lambda: answer.extend(outsider.committed(places, TIMEOUT)))
        return {place.partition: place.offset for place in answer if place.offset >= 0}

    @property
    def admin(self) -> AdminClient:
        """A client for everything else; connected at the first use."""
        admin = self._admin
        if admin is None:
            # What it would say on stderr about a broker that a test has taken down is no news.
            admin = self._admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        return admin


class OwnKafka(RealKafka):
    """A broker of ours in *folder*: it can be frozen, killed and started again, and has TLS and SASL listeners.

    It ends with this process, however that ends.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("")
        self.folder = folder
        # Its input ends when this process does, even by SIGKILL; then it stops the broker. A session of its own keeps it
        # out of a SIGKILL for the whole group.
        self._guard = subprocess.Popen(
            ["sh", "-c", 'cat; exec "$0" stop --folder "$1"', str(SCRIPT), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "PYTHON": sys.executable},
        )
        self.addresses: dict[str, str] = {}
        """Where it listens: PLAINTEXT, SASL_PLAINTEXT, SSL, SASL_SSL."""
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        self.bootstrap_servers = self.addresses["PLAINTEXT"]

    @property
    def certificate(self) -> Path:
        """What goes into `ssl.ca.location` for the listeners with TLS."""
        return self.folder / "ca.pem"

    @property
    def is_running(self) -> bool:
        """Whether its process is there, frozen or not."""
        return run_script("status", "--folder", self.folder).returncode == 0

    def start(self) -> None:
        """Start it where it was, with its data and its ports, and wait until it answers."""
        self._log_read = len(self._log.read_text(errors="replace")) if self._log.exists() else 0
        done = run_script("start", "--sasl", "--tls", "--folder", self.folder)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        self._forget_clients()
        plain, *others = done.stdout.splitlines()
        self.addresses = {"PLAINTEXT": plain, **dict(line.split() for line in others)}

    def stop(self) -> None:
        """End it in an orderly way and wait for its end."""
        run_script("stop", "--folder", self.folder)

    def kill(self) -> None:
        """End it with SIGKILL and wait for its end."""
        os.kill(self._pid, signal.SIGKILL)
        wait_until(lambda: not self.is_running, "the broker's end")

    def freeze(self) -> None:
        """Stop its process with SIGSTOP: connections stay open and nothing answers."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen broker go on."""
        os.kill(self._pid, signal.SIGCONT)
        self._forget_clients()

    def _forget_clients(self) -> None:
        """Ask with new ones from now on: the old ones may be stalled, and then their end takes seconds."""
        with self._lock:
            old = [self._admin, *self._outsiders.values()]
            self._admin, self._outsiders = None, {}
        WorkerThread("forgetting", old.clear).start()

    def mend(self) -> None:
        """Start it again if it serves some groups no more; they are told for ever that it is not their coordinator.

        So does Kafka 4.1.0 now and then, when it was killed and its next start lacks the processor.
        """
        if GROUPS_LOST in self._log.read_text(errors="replace")[self._log_read :]:
            self.kill()
            self.start()

    def restore(self) -> None:
        """Bring it back to work, whatever a test did to it."""
        if self.is_running:
            self.thaw()
        else:
            self.start()

    def close(self) -> None:
        """End it for good and remove its records; the log stays."""
        super().close()
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard.wait(START_TIMEOUT)
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    @property
    def _pid(self) -> int:
        return int((self.folder / "broker.pid").read_text())

    @property
    def _log(self) -> Path:
        return self.folder / "broker.log"
