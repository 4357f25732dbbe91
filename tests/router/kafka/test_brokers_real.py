"""The real broker of the fixtures: topics, groups, faults, TLS and SASL, seen by plain confluent-kafka clients."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from tests.router.kafka.mock_cluster_clients import (
    TIMEOUT,
    commit,
    consume,
    open_consumer,
    open_producer,
    produce,
    values_of,
)
from tests.router.kafka.real_kafka import SCRIPT, USER, OwnKafka, RealKafka, run_script, unique, wait_until

SHORT = 1.0
"""Seconds in which a broker on this machine would have answered many times over."""


def see_brokers(properties: dict[str, Any]) -> list[int]:
    """Return the numbers of the brokers that a client with *properties* is told of."""
    admin = AdminClient({"log_level": 0, **properties})
    admin.poll(0)  # where a token is asked for
    return list(admin.list_topics(timeout=TIMEOUT).brokers)


# A process that has a broker and goes without a word.
START_AND_DIE = """
import os, signal, sys
from pathlib import Path
from tests.router.kafka.real_kafka import OwnKafka
kafka = OwnKafka(Path(sys.argv[1]))
print(kafka.is_running, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def free_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a broker of the test's own, which is ended whatever the test did."""
    yield tmp_path / "broker"
    run_script("stop", "--folder", tmp_path / "broker")


def read_pid(folder: Path) -> str:
    """Return what the pid file in *folder* says, nothing before it is written."""
    try:
        return (folder / "broker.pid").read_text()
    except FileNotFoundError:
        return ""


@contextlib.contextmanager
def ended(child: subprocess.Popen[str]) -> Iterator[None]:
    """Leave no *child* behind, whatever the block did."""
    try:
        yield
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_what_was_produced_is_consumed_and_committed(real_kafka: RealKafka, protocol: str) -> None:
    """Expect the records in order, and the commit to be seen from outside the group, with both group protocols."""
    topic, group = real_kafka.create_topic(partitions=2), unique("group")
    undelivered = produce(real_kafka.bootstrap_servers, topic, [b"a", b"b", b"c"], partition=1)
    with open_consumer(real_kafka.bootstrap_servers, topic, group_id=group, group_protocol=protocol) as consumer:
        records = consume(consumer, 3)
        before = real_kafka.committed(group, topic)
        commit(consumer, topic, 2, partition=1)

    assert undelivered == 0
    assert values_of(records) == [b"a", b"b", b"c"]
    assert (before, real_kafka.committed(group, topic)) == ({}, {1: 2})
    assert real_kafka.end_offsets(topic) == {0: 0, 1: 3}


def test_a_topic_takes_its_own_configuration(real_kafka: RealKafka) -> None:
    """Expect a limit of the topic to hold for its records."""
    topic = real_kafka.create_topic(config={"max.message.bytes": "1000"})
    small = produce(real_kafka.bootstrap_servers, topic, [b"x" * 100])
    produce(real_kafka.bootstrap_servers, topic, [b"x" * 2000])

    assert small == 0
    assert real_kafka.end_offsets(topic) == {0: 1}


def test_deleted_records_and_topics_are_gone(real_kafka: RealKafka) -> None:
    """Expect a consumer to begin after the deleted records, and no topic once that is deleted."""
    topic = real_kafka.create_topic()
    produce(real_kafka.bootstrap_servers, topic, [b"0", b"1", b"2"])
    real_kafka.delete_records(topic, 0, 2)
    with open_consumer(real_kafka.bootstrap_servers, topic, group_id=unique("group")) as consumer:
        records = consume(consumer, 1)
    real_kafka.delete_topic(topic)
    wait_until(lambda: topic not in real_kafka.admin.list_topics(timeout=TIMEOUT).topics, "the topic's end")

    assert values_of(records) == [b"2"]


def test_nothing_creates_a_topic_by_asking_for_it(own_kafka: OwnKafka) -> None:
    """Expect a record for an unknown topic to be refused."""
    errors: list[int | None] = []
    producer = open_producer(own_kafka.bootstrap_servers, topic_metadata_propagation_max_ms=2000)
    topic = unique("unknown")
    producer.produce(topic, b"x", on_delivery=lambda error, _: errors.append(error.code() if error else None))
    producer.flush(TIMEOUT)

    assert errors == [KafkaError.UNKNOWN_TOPIC_OR_PART]
    assert topic not in own_kafka.admin.list_topics(timeout=TIMEOUT).topics


def test_a_frozen_broker_answers_after_it_was_thawed(own_kafka: OwnKafka) -> None:
    """Expect a record to wait while the broker is stopped, and to be delivered afterwards."""
    topic = own_kafka.create_topic()
    producer = open_producer(own_kafka.bootstrap_servers)
    own_kafka.freeze()
    producer.produce(topic, b"x")
    waiting = producer.flush(SHORT)
    own_kafka.thaw()
    left = producer.flush(TIMEOUT)

    assert (waiting, left) == (1, 0)
    assert own_kafka.end_offsets(topic) == {0: 1}


@pytest.mark.parametrize("end", ["kill", pytest.param("stop", marks=pytest.mark.soak)])
def test_a_broker_comes_back_with_its_records_and_commits(own_kafka: OwnKafka, end: str) -> None:
    """Expect the same address, and what was delivered and committed, after a SIGKILL and after an orderly end."""
    topic, group = own_kafka.create_topic(), unique("group")
    produce(own_kafka.bootstrap_servers, topic, [b"0", b"1"])
    with open_consumer(own_kafka.bootstrap_servers, topic, group_id=group) as consumer:
        consume(consumer, 2)
        commit(consumer, topic, 1)
    addresses = dict(own_kafka.addresses)
    getattr(own_kafka, end)()
    was_running = own_kafka.is_running
    own_kafka.start()
    with open_consumer(own_kafka.bootstrap_servers, topic, group_id=group) as consumer:
        records = consume(consumer, 1)

    assert not was_running
    assert own_kafka.addresses == addresses
    assert values_of(records) == [b"1"]


@pytest.mark.parametrize(
    ("listener", "properties", "expected"),
    [
        pytest.param(
            "SASL_PLAINTEXT",
            {"sasl.mechanism": "PLAIN", "sasl.username": USER, "sasl.password": "wrong"},
            KafkaError._AUTHENTICATION,
            id="password",
        ),
        pytest.param("SSL", {}, KafkaError._SSL, id="certificate"),
    ],
)
def test_a_stranger_is_kept_out(own_kafka: OwnKafka, listener: str, properties: dict[str, str], expected: int) -> None:
    """Expect no answer with a wrong password, none for a client that does not know the certificate, and the reason."""
    errors: list[int] = []
    admin = AdminClient(
        {
            "bootstrap.servers": own_kafka.addresses[listener],
            "security.protocol": listener,
            "log_level": 0,
            "error_cb": lambda error: errors.append(error.code()),
            **properties,
        }
    )

    def is_refused() -> bool:
        admin.poll(SHORT)
        return expected in errors

    wait_until(is_refused, "the refusal")

    with pytest.raises(KafkaException):
        admin.list_topics(timeout=SHORT)


@pytest.mark.usefixtures("own_kafka")
def test_a_broker_ends_with_the_process_that_made_it(free_folder: Path) -> None:
    """Expect nothing to be left over from a run that was killed."""
    child = subprocess.run(
        [sys.executable, "-c", START_AND_DIE, str(free_folder)],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    wait_until(lambda: run_script("status", "--folder", free_folder).returncode == 1, "the broker's end")

    assert (child.returncode, child.stdout) == (-signal.SIGKILL, "True\n")


@pytest.mark.usefixtures("own_kafka")
def test_the_script_starts_shows_and_stops_a_broker_in_a_folder_of_any_name(tmp_path: Path) -> None:
    """Expect one bare address, a second start to be refused in one line, and status and stop to know what runs.

    And letters that are no ASCII, and no Latin-1, to lead to the folder itself.
    """
    folder = tmp_path / "B\u00fcro \u6771\U0001f600"
    started = run_script("start", "--tls", "--folder", folder)
    again = run_script("start", "--tls", "--folder", folder)
    shown = run_script("status", "--folder", folder)
    stopped = run_script("stop", "--folder", folder)
    over = run_script("status", "--folder", folder)

    assert started.returncode == 0, started.stderr
    assert started.stdout.startswith("127.0.0.1:")
    assert shown.stdout == started.stdout
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("kafka: already running at 127.0.0.1:")
    assert again.stderr.count("\n") == 1
    assert (shown.returncode, stopped.returncode, stopped.stderr, over.returncode) == (0, 0, "", 1)
    assert (folder / "data" / "meta.properties").exists()
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


@pytest.mark.usefixtures("own_kafka")
def test_the_script_refuses_a_port_that_is_taken(free_folder: Path) -> None:
    """Expect one line that names the port, and no broker."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = run_script("start", "--folder", free_folder, "--port", port)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"kafka: port {port} is taken")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("text", ["", '{"PLAINTEXT": 20', "[]", '{"PLAINTEXT": "x"}'])
@pytest.mark.usefixtures("own_kafka")
def test_the_script_tells_of_a_damaged_file_of_ports(free_folder: Path, text: str) -> None:
    """Expect one line with the file and what to do, and no broker."""
    free_folder.mkdir()
    (free_folder / "ports.json").write_text(text)
    done = run_script("start", "--folder", free_folder)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"kafka: {free_folder / 'ports.json'} is damaged: remove it, and the broker gets new ports\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("own_kafka")
def test_the_script_leaves_no_broker_when_its_start_is_interrupted(free_folder: Path, number: signal.Signals) -> None:
    """Expect Ctrl-C, or a `kill`, during a start to end the broker that was coming up, and to be told in one line."""
    line = [str(SCRIPT), "start", "--folder", str(free_folder)]
    child = subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHON": sys.executable},
        # Started in the background of a script, we would hand down that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with ended(child):
        wait_until(lambda: read_pid(free_folder), "the broker's process")
        pid = read_pid(free_folder)
        child.send_signal(number)
        out, err = child.communicate(timeout=TIMEOUT)

    assert (child.returncode, out, err) == (130, "", "kafka: interrupted\n")
    assert run_script("status", "--folder", free_folder).returncode == 1
    # Nor does it run without its file; its bare number tells nothing where nobody takes in orphans that have ended.
    (free_folder / "broker.pid").write_text(pid)
    assert run_script("status", "--folder", free_folder).returncode == 1
