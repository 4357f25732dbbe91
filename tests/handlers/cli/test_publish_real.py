"""`millstream publish` on a real Apache Kafka, in a process of its own."""

import subprocess

import pytest

from tests.handlers.cli.command_aids import command, environment, make_payload, poison_records, run, write_events
from tests.router.kafka.raw_records import read_records
from tests.router.kafka.real_kafka import PASSWORD, USER, unique

pytestmark = pytest.mark.slow  # a process for each command, and a real broker


def publish(folder, brokers, topic, *arguments, **settings):
    """Publish `in.ndjson` of *folder* with settings of the `[kafka]` section."""
    variables = {f"MILLSTREAM_KAFKA__{key.upper()}": value for key, value in settings.items()}
    return run("publish", "in.ndjson", "--topic", topic, "--brokers", brokers, *arguments, cwd=folder, **variables)


def test_a_missing_topic_is_created_and_one_that_is_there_is_left(tmp_path, real_kafka):
    """The second run says that the number of partitions is another one, and publishes all the same."""
    write_events(tmp_path / "in.ndjson", 3000)
    topic = unique("published")
    first = publish(tmp_path, real_kafka.bootstrap_servers, topic, "--create-topic", "3")
    second = publish(tmp_path, real_kafka.bootstrap_servers, topic, "--create-topic", "5")

    assert (first.returncode, second.returncode) == (0, 0), (first.stderr, second.stderr)
    assert b"created with 3 partitions" in first.stderr
    assert b"with 3 partitions instead of 5: left as it is" in second.stderr
    assert sum(real_kafka.end_offsets(topic).values()) == 6000


def test_refused_credentials_end_with_2_and_without_the_secret(tmp_path, own_kafka):
    """A wrong password is one line, and the right one works."""
    write_events(tmp_path / "in.ndjson", 10)
    topic = own_kafka.create_topic()
    address = own_kafka.addresses["SASL_PLAINTEXT"]
    login = {"use_sasl": "true", "sasl_user": USER, "sasl_mechanism": "SCRAM-SHA-256"}
    wrong = publish(tmp_path, address, topic, sasl_password="not-the-secret", **login)
    right = publish(tmp_path, address, topic, sasl_password=PASSWORD, **login)

    assert (wrong.returncode, right.returncode) == (2, 0), (wrong.stderr, right.stderr)
    assert wrong.stderr.count(b"refused us") == 1
    assert b"not-the-secret" not in wrong.stderr


def test_a_broker_that_nobody_vouches_for_is_refused(tmp_path, own_kafka):
    """Without its authority the certificate is bad, with it all is well."""
    write_events(tmp_path / "in.ndjson", 10)
    topic = own_kafka.create_topic()
    address = own_kafka.addresses["SSL"]
    wrong = publish(tmp_path, address, topic, tls="true")
    right = publish(tmp_path, address, topic, tls="true", tls_ca_cert_file=str(own_kafka.certificate))

    assert (wrong.returncode, right.returncode) == (2, 0), (wrong.stderr, right.stderr)
    assert wrong.stderr.count(b"refused us") == 1


def test_a_broker_that_is_down_is_waited_for(tmp_path, own_kafka):
    """The user sees both that it waits and that it goes on, and everything is confirmed."""
    write_events(tmp_path / "in.ndjson", 20_000)
    topic = own_kafka.create_topic()
    own_kafka.kill()
    line = command("publish", "in.ndjson", "--topic", topic, "--brokers", own_kafka.bootstrap_servers)
    process = subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, env=environment())
    assert any(b"no Kafka broker can be reached" in each for each in process.stderr)
    own_kafka.start()
    _, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    assert err.count(b"Kafka brokers are back") == 1
    assert b"confirmed 20000 poisoned 0 lines 20000 " in err
    assert len(read_records(own_kafka.bootstrap_servers, topic, 20_000)) == 20_000


def test_what_the_topic_does_not_take_is_set_aside(tmp_path, real_kafka):
    """A line over the topic's own limit has its record with the line's number, and its neighbours are published."""
    topic = real_kafka.create_topic(config={"max.message.bytes": "2000"})
    large = make_payload(id="large", properties={"a": "x" * 5000})
    (tmp_path / "in.ndjson").write_bytes(b"\n".join([make_payload(id="1"), large, make_payload(id="3")]))
    done = publish(tmp_path, real_kafka.bootstrap_servers, topic)
    records = poison_records(tmp_path / "in.ndjson.poison.ndjson")

    assert done.returncode == 3, done.stderr
    assert [record["line"] for record in records] == [2]
    assert sum(real_kafka.end_offsets(topic).values()) == 2
