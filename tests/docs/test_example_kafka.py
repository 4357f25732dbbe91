"""The example for Kafka really runs: from files through a real broker into an embedded store, with nothing lost."""

import contextlib
import re
import signal
import subprocess
import sys

import pytest
from confluent_kafka import Producer
from confluent_kafka.cimpl import NewTopic

from millstream.router.testing import eventually
from tests.docs.test_readme import ROOT
from tests.handlers.cli.command_aids import environment, query, run, write_events
from tests.router.kafka.raw_records import read_records
from tests.router.kafka.real_kafka import unique

pytestmark = pytest.mark.slow  # processes, and a real broker
EVENTS = 2000
TIMEOUT = 60.0
SETTINGS = """\
[clickhouse]
dsn = "chdb://own"
table = "usage"
[batch]
batch_size = 100
max_batch_size = 100
"""


def test_the_kafka_example_stores_every_event_and_sets_the_bad_one_aside(tmp_path, real_kafka):
    """Published events are rows, the record that is no event is in the poison topic, and every offset is committed.

    Store, table and batches are those of the settings file.
    """
    (tmp_path / "millstream.toml").write_text(SETTINGS)
    topic = real_kafka.create_topic(4)
    real_kafka.admin.create_topics([new_topic(f"{topic}-dlq")])[f"{topic}-dlq"].result(TIMEOUT)
    write_events(tmp_path / "in.ndjson", EVENTS)
    brokers = real_kafka.bootstrap_servers
    published = run("publish", "in.ndjson", "--topic", topic, "--brokers", brokers, cwd=tmp_path)
    assert published.returncode == 0, published.stderr
    producer = Producer({"bootstrap.servers": brokers})
    producer.produce(topic, b"no event", partition=0)
    assert producer.flush(20) == 0

    with started(brokers, topic, tmp_path) as process:
        is_committed = eventually(lambda: real_kafka.committed(topic, topic) == real_kafka.end_offsets(topic), TIMEOUT)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=TIMEOUT)

    assert is_committed, out
    assert process.returncode == 0, out
    assert query("SELECT count(), uniqExact(id) FROM usage FINAL", cwd=tmp_path) == f"{EVENTS}\t{EVENTS}"
    assert int(re.search(rb"inserts=(\d+)", out)[1]) >= EVENTS // 100
    assert (tmp_path / "own").is_dir()
    (record,) = read_records(brokers, f"{topic}-dlq", 1)
    assert record.value() == b"no event"


@pytest.mark.parametrize("is_poison", [False, True], ids=["topic", "poison topic"])
def test_the_kafka_example_ends_with_what_creates_a_topic_that_is_missing(tmp_path, real_kafka, is_poison):
    """Exit code 2, and the last line says what to do; nobody has to read a traceback."""
    topic = real_kafka.create_topic() if is_poison else unique("nobody-made-this")
    missing = f"{topic}-dlq" if is_poison else topic
    if not is_poison:
        real_kafka.admin.create_topics([new_topic(f"{topic}-dlq")])[f"{topic}-dlq"].result(TIMEOUT)
    with started(real_kafka.bootstrap_servers, topic, tmp_path) as process:
        out, _ = process.communicate(timeout=TIMEOUT)
    lines = out.decode().splitlines()

    assert process.returncode == 2, out
    assert re.search(
        rf"topic '{missing}' does not exist on .*; create it with: millstream publish /dev/null", lines[-1]
    )
    # Of a topic that is read the log says it as well.
    assert sum(f"topic '{missing}' does not exist" in line for line in lines) == (1 if is_poison else 2)
    assert b"Traceback" not in out


@contextlib.contextmanager
def started(brokers, topic, folder):
    """Run the example for *topic*; it never outlives the block."""
    example = [sys.executable, str(ROOT / "examples" / "ex06_kafka_to_clickhouse.py")]
    process = subprocess.Popen(
        [*example, "--brokers", brokers, "--topic", topic, "--group", topic],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def new_topic(name):
    """Return a topic to create."""
    return NewTopic(name, 1, 1)
