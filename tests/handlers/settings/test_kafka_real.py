"""`[kafka]` settings on a real Apache Kafka with TLS and SASL, for the command and for a program of one's own."""

import subprocess
import sys

from millstream.router.testing import eventually
from tests.handlers.cli.command_aids import ROOT, environment, query, run, write_events
from tests.router.kafka.real_kafka import PASSWORD, USER

EXAMPLE = ROOT / "examples" / "ex06_kafka_to_clickhouse.py"
TIMEOUT = 60.0


def test_one_file_takes_the_command_and_the_example_through_tls_and_sasl(tmp_path, own_kafka):
    """Both reach a cluster that lets nobody else in, and every event is a row."""
    topic = own_kafka.create_topic()
    (tmp_path / "millstream.toml").write_text(
        f"[kafka]\nbrokers = ['{own_kafka.addresses['SASL_SSL']}']\ntls = true\ntls_ca_cert_file = '{own_kafka.certificate}'\n"
        f"use_sasl = true\nsasl_mechanism = 'SCRAM-SHA-256'\nsasl_user = '{USER}'\nsasl_password = '{PASSWORD}'\n"
        f"[event_processing]\ntopic = '{topic}'\nconsumer_group = '{topic}'\ntopic_dlq = 'drop'\n"
    )
    write_events(tmp_path / "in.ndjson", 100)
    published = run("publish", "in.ndjson", cwd=tmp_path)
    line = [sys.executable, str(EXAMPLE)]
    with subprocess.Popen(
        line, cwd=tmp_path, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, env=environment()
    ) as child:
        is_committed = eventually(lambda: own_kafka.committed(topic, topic) == {0: 100}, TIMEOUT)
        child.terminate()
        out, _ = child.communicate(timeout=TIMEOUT)

    assert published.returncode == 0, published.stderr
    assert is_committed, out
    assert child.returncode == 0, out
    assert query("SELECT uniqExact(id) FROM events FINAL", cwd=tmp_path) == "100"


def test_given_brokers_win_in_the_example(tmp_path, own_kafka):
    """A slip in `--brokers` is told at once, whatever the settings say."""
    line = [sys.executable, str(EXAMPLE), "--brokers", "http://kafka"]
    variables = environment(MILLSTREAM_KAFKA__BROKERS=own_kafka.bootstrap_servers)
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, timeout=TIMEOUT, env=variables, check=False)

    assert done.returncode == 2
    assert b"not 'http://kafka'" in done.stderr
    assert b"Traceback" not in done.stderr
