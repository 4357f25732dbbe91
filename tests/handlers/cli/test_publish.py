"""`millstream publish` on mock brokers, in the process of the test."""

import gzip
import re

import pytest

from tests.handlers.cli.command_aids import good_lines, make_payload, poison_records
from tests.handlers.cli.main_in_process import run_main
from tests.router.kafka.raw_records import read_records


def publish(folder, cluster, *arguments):
    """Publish `in.ndjson` of *folder* to the topic `events`."""
    return run_main("publish", "in.ndjson", "--brokers", cluster.bootstrap_servers, *arguments, folder=folder)


def test_each_event_is_one_record_with_its_bytes_as_they_came(tmp_path, mock_cluster):
    """The value is the line, the key the customer's, and the headers are those that Go services expect."""
    mock_cluster.create_topic("events")
    line = make_payload(id="e-1", tenant_id="t", environment_id="prod", external_customer_id="c").replace(
        b":", b" : ", 1
    )
    (tmp_path / "in.ndjson").write_bytes(line + b"\n")
    code = publish(tmp_path, mock_cluster)
    (record,) = read_records(mock_cluster.bootstrap_servers, "events", 1)

    assert code == 0
    assert record.value() == line
    assert record.key() == b"t:c"
    assert dict(record.headers()) == {
        "_watermill_message_uuid": b"e-1",
        "tenant_id": b"t",
        "environment_id": b"prod",
        "partition_key": b"t:c",
    }


def test_an_event_without_external_customer_is_keyed_by_its_tenant(tmp_path, mock_cluster):
    """There is nothing else that keeps its events in order."""
    mock_cluster.create_topic("events")
    (tmp_path / "in.ndjson").write_bytes(make_payload(tenant_id="t", external_customer_id=None, customer_id="x"))
    publish(tmp_path, mock_cluster)
    (record,) = read_records(mock_cluster.bootstrap_servers, "events", 1)

    assert record.key() == b"t"


def test_invalid_and_oversized_lines_are_set_aside_and_the_rest_is_published(tmp_path, mock_cluster, capsys):
    """Each refused line has its record, the others are confirmed, and the exit code is 3."""
    mock_cluster.create_topic("events")
    good = good_lines(2500)
    large = make_payload(properties={"a": "x" * 999_900})
    (tmp_path / "in.ndjson").write_bytes(b"\n".join([good[0], b"bad", b"", large, *good[1:]]))
    code = publish(tmp_path, mock_cluster)
    records = poison_records(tmp_path / "in.ndjson.poison.ndjson")

    assert code == 3
    assert [record["line"] for record in records] == [2, 4]
    assert "max_message_bytes" in records[1]["reason"]
    assert len(read_records(mock_cluster.bootstrap_servers, "events", 2500)) == 2500
    err = capsys.readouterr().err
    assert "confirmed 2500 poisoned 2 lines 2503 " in err
    assert err.endswith(", set aside in in.ndjson.poison.ndjson (line 2: malformed JSON at byte 0: expected '{')\n")


def test_bytes_behind_the_compressed_data_are_told_and_the_rest_is_published(tmp_path, mock_cluster, capsys):
    """Every event before them is confirmed; the exit code says that the file is not all that its name says."""
    mock_cluster.create_topic("events")
    (tmp_path / "in.ndjson.gz").write_bytes(gzip.compress(b"\n".join(good_lines(3))) + b"garbage")
    code = run_main("publish", "in.ndjson.gz", "--brokers", mock_cluster.bootstrap_servers, folder=tmp_path)
    err = capsys.readouterr().err

    assert code == 2
    assert "confirmed 3 poisoned 0 lines 3 " in err
    assert "in.ndjson.gz: what follows the compressed data, " in err


def test_too_many_refused_lines_halt(tmp_path, mock_cluster):
    """`--max-poison` is the policy, so the exit code is 4."""
    mock_cluster.create_topic("events")
    (tmp_path / "in.ndjson").write_bytes(b"bad\nbad\n")

    assert publish(tmp_path, mock_cluster, "--max-poison", "1") == 4


@pytest.mark.slow
def test_an_unknown_topic_is_named_with_the_command_that_creates_it(tmp_path, mock_cluster, capsys):
    """A typing error ends with exit code 2 and says what to do."""
    (tmp_path / "in.ndjson").write_bytes(make_payload())
    code = publish(tmp_path, mock_cluster, "--topic", "evnts")
    err = capsys.readouterr().err

    assert code == 2
    assert "topic 'evnts' does not exist" in err
    assert re.search(r"create it with: millstream publish /dev/null --brokers \S+ --topic evnts --create-topic 4", err)


def test_without_brokers_the_error_says_what_to_set(tmp_path, capsys):
    """Nobody has to guess the name of the setting."""
    (tmp_path / "in.ndjson").write_bytes(make_payload())

    assert run_main("publish", "in.ndjson", folder=tmp_path) == 2
    assert "--brokers" in (err := capsys.readouterr().err)
    assert "MILLSTREAM_KAFKA__BROKERS" in err


@pytest.mark.slow
def test_what_is_not_confirmed_in_time_ends_with_5(tmp_path, capsys):
    """Brokers that never come leave the count at 0 and the command safe to repeat."""
    (tmp_path / "in.ndjson").write_bytes(make_payload())
    (tmp_path / "millstream.toml").write_text("[kafka]\ndelivery_timeout = 0.2\n[kafka.properties]\nlog_level = 0\n")
    code = run_main("publish", "in.ndjson", "--brokers", "127.0.0.1:1", folder=tmp_path)
    err = capsys.readouterr().err

    assert code == 5
    assert "0 events confirmed, 1 not: not confirmed within delivery_timeout=0.2 s" in err
    assert "safe to repeat" in err


@pytest.mark.parametrize("variable", ["SASL_PASSWORD", "TLS_KEY_PASSWORD"])
def test_a_secret_without_its_switch_is_an_error_that_does_not_show_it(tmp_path, monkeypatch, capsys, variable):
    """A password that would be left unused is told of by its name only."""
    (tmp_path / "in.ndjson").write_bytes(make_payload())
    monkeypatch.setenv(f"MILLSTREAM_KAFKA__{variable}", "hunter2")
    code = run_main("publish", "in.ndjson", folder=tmp_path)
    err = capsys.readouterr().err

    assert code == 2
    assert f"kafka.{variable.lower()} has no effect" in err
    assert "hunter2" not in err


@pytest.mark.parametrize("brokers", ["", " , ", "http://kafka:9092", "kafka", "kafka:9092,:1"])
def test_brokers_that_are_none_are_refused_and_not_replaced(tmp_path, monkeypatch, capsys, brokers):
    """Whoever gives `--brokers` does not mean those of the settings, and does not wait for a slip."""
    (tmp_path / "in.ndjson").write_bytes(make_payload())
    monkeypatch.setenv("MILLSTREAM_KAFKA__BROKERS", "127.0.0.1:1")
    code = run_main("publish", "in.ndjson", "--brokers", brokers, folder=tmp_path)
    err = capsys.readouterr().err

    assert code == 2
    assert "brokers" in err
    assert repr(brokers.split(",")[-1]) in err or repr(brokers) in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("topic", ["^events.*", "", "dead letters", ".."])
def test_a_topic_that_kafka_could_not_have_is_refused_before_anything_is_sent(tmp_path, capsys, topic):
    """One line names the option and the rule, whether or not the topic is to be created."""
    (tmp_path / "in.ndjson").write_bytes(make_payload())
    options = ["publish", "in.ndjson", "--brokers", "127.0.0.1:1", "--topic", topic]
    codes = [run_main(*options, *more, folder=tmp_path) for more in ([], ["--create-topic", "1"])]
    err = capsys.readouterr().err

    assert codes == [2, 2]
    assert err.count("--topic must be 1 to 249 of the characters") == 2


@pytest.mark.parametrize("partitions", ["0", "100001", "200000"])
def test_a_number_of_partitions_that_no_broker_takes_is_wrong_usage(tmp_path, capsys, partitions):
    """It is told with its range, without a traceback."""
    (tmp_path / "in.ndjson").write_bytes(make_payload())
    code = run_main("publish", "in.ndjson", "--brokers", "b:1", "--create-topic", partitions, folder=tmp_path)

    assert code == 2
    assert "1<=x<=100000" in capsys.readouterr().err
