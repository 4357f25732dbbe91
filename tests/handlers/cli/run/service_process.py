"""`millstream run` in a process of its own: what it says, and how it ends."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from millstream.router import KafkaPublisher, KafkaPublisherConfig, Message
from millstream.router.testing import eventually
from millstream.router.worker_thread import WorkerThread
from tests.handlers.cli.command_aids import environment, make_payload

TIMEOUT = 90.0


class ServiceProcess:
    """One `millstream run` in *folder*, whose `millstream.toml` says what to consume; a context manager.

    It is killed at the end of the block if it still runs. A session of its own keeps its signals to itself. What it is run
    *through* is a module, and arguments before those of the command; *inside* is what runs that line.
    """

    def __init__(self, folder, *arguments, through=("millstream",), inside=(), **variables):
        self.lines = []
        """What it has written to stderr so far."""
        self._line = [*inside, sys.executable, "-m", *through, "run", *map(str, arguments)]
        self._folder = folder
        self._variables = variables
        self._arrived = threading.Condition()

    def __enter__(self):
        self.process = subprocess.Popen(
            self._line,
            cwd=self._folder,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=environment(**self._variables),
            start_new_session=True,
        )
        self._reading = WorkerThread("reading-stderr", self._read)
        self._reading.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(TIMEOUT)
        assert self._reading.join(time.monotonic() + TIMEOUT)

    def _read(self):
        with self.process.stderr as stderr:
            for line in stderr:
                with self._arrived:
                    self.lines.append(line.decode().rstrip())
                    self._arrived.notify_all()

    def said(self, text):
        """Return the lines that hold *text*."""
        return [line for line in list(self.lines) if text in line]

    def wait_for(self, text, count=1):
        """Wait until *count* lines hold *text*, and return them."""
        with self._arrived:
            is_there = self._arrived.wait_for(lambda: len(self.said(text)) >= count, TIMEOUT)
        assert is_there, f"{text!r} was not said {count} times: {self.lines}"
        return self.said(text)

    def send(self, number):
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self, number=signal.SIGTERM):
        """Send it a signal and return its exit code."""
        self.send(number)
        return self.wait()

    def wait(self, timeout=TIMEOUT):
        """Return its exit code once it has ended."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout:g} s: {self.lines}") from None
        self._reading.join(time.monotonic() + timeout)
        return code


class Place:
    """Where one test's service reads and writes: its topics, its group and its table, in a folder with its settings."""

    def __init__(self, folder: Path, kafka, clickhouse, database: str, *, partitions: int = 3, table: str = "events"):
        self.folder = folder
        self.kafka = kafka
        self.clickhouse = clickhouse
        self.database = database
        self.table = table
        self.topic = kafka.create_topic(partitions, prefix="events")
        self.dlq = kafka.create_topic(1, prefix="dlq")
        self.group = f"group-{self.topic}"
        self.dsn = clickhouse.address(database=database)
        self.sections = {
            "kafka": {"brokers": [kafka.bootstrap_servers]},
            "clickhouse": {"dsn": self.dsn},
            "event_processing": {"topic": self.topic, "consumer_group": self.group, "topic_dlq": self.dlq},
            "event_processing_lazy": {"enabled": False},
            "batch": {"flush_interval": 0.5, "retry_interval": 0.2},
        }
        """What is in `millstream.toml`; changed by a test before `write`."""

    def use_topic(self, partitions):
        """Take another topic, with so many partitions."""
        self.topic = self.kafka.create_topic(partitions, prefix="events")
        self.group = f"group-{self.topic}"
        self.sections["event_processing"].update(topic=self.topic, consumer_group=self.group)

    def write(self, **sections):
        """Write the settings, with *sections* on top."""
        merged = {
            name: {**self.sections.get(name, {}), **sections.get(name, {})} for name in {**self.sections, **sections}
        }
        text = "\n".join(
            f"[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())
            for name, values in merged.items()
        )
        (self.folder / "millstream.toml").write_text(text)

    def service(self, *arguments, **options):
        """Return a service that is not started yet; see `ServiceProcess`."""
        return ServiceProcess(self.folder, *arguments, **options)

    def publish(self, *payloads, topic=None):
        """Publish *payloads* as they are, each with the next key of a few, confirmed."""
        messages = [Message(payload, key=b"%d" % (number % 50)) for number, payload in enumerate(payloads)]
        with contextlib.closing(
            KafkaPublisher(KafkaPublisherConfig(brokers=[self.kafka.bootstrap_servers]))
        ) as publisher:
            publisher.publish(topic or self.topic, *messages)

    def publish_events(self, count, prefix="event", topic=None):
        """Publish valid events and return their ids."""
        ids = [f"{prefix}-{number}" for number in range(count)]
        self.publish(*(make_payload(id=each) for each in ids), topic=topic)
        return ids

    def ids(self):
        """Return every id that the table has, as often as it has it, in order."""
        with contextlib.closing(self.clickhouse.open()) as store:
            return sorted(each for (each,) in store.query(f"SELECT id FROM {self.database}.{self.table}").rows)

    def committed(self):
        """Return what the group has committed, all partitions together."""
        return sum(self.kafka.committed(self.group, self.topic).values())

    def wait_committed(self, count):
        """Wait until so many offsets are committed."""
        assert eventually(lambda: self.committed() >= count, TIMEOUT), f"{self.committed()} of {count} committed"


def _toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{name}" = {_toml(each)}' for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value) if isinstance(value, int | float) else f'"{value}"'
