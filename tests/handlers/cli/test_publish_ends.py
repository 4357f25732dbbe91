"""How `millstream publish` ends when it is told to, and what it hears while its stdin is silent."""

import functools
import itertools
import os
import re
import signal
import subprocess

import pytest

from millstream.handlers.cli.event_files import EventFiles
from millstream.handlers.cli.line_poison import LinePoison
from millstream.handlers.cli.lines import Input
from millstream.handlers.cli.publish import Publish
from millstream.router import KafkaPublisher, KafkaPublisherConfig
from tests.handlers.cli.command_aids import command, environment, make_payload, write_events
from tests.router.kafka.real_kafka import USER

NOBODY = "127.0.0.1:1"
WAIT = 20.0
"""Seconds: less than the 30 that a publisher may take by itself to close."""


def start(folder, *arguments, **settings):
    """Start a publish in *folder* that can be written to.

    It heeds an interrupt, as from a terminal: what a shell without job control runs in the background does not, and these tests
    may be run so.
    """
    line = command("publish", *arguments)
    pipe = subprocess.PIPE
    heed = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(line, cwd=folder, stdin=pipe, stderr=pipe, env=environment(**settings), preexec_fn=heed)


def send(process, line):
    """Give *process* one line of its stdin."""
    process.stdin.write(line + b"\n")
    process.stdin.flush()


def wait_for_line(process, text):
    """Read the stderr of *process*, which has a line a second, up to one with *text*."""
    assert any(text in line for line in itertools.islice(process.stderr, int(WAIT)))


def end_of(process):
    """Return the exit code of *process* and the rest of its stderr; its stdin stays open until it has ended."""
    try:
        process.wait(WAIT)
    finally:
        process.kill()
        _, err = process.communicate()
    return process.returncode, err


class WatchedPublisher(KafkaPublisher):
    """Notes who listens to SIGTERM while it closes."""

    def close(self):
        """Close, and look around."""
        self.listener = signal.getsignal(signal.SIGTERM)
        super().close()


class InterruptedPublisher(KafkaPublisher):
    """Is told to end once it has the first messages."""

    def publish_async(self, topic, *messages, on_done=None):
        """Take them, and interrupt the process."""
        confirmation = super().publish_async(topic, *messages, on_done=on_done)
        os.kill(os.getpid(), signal.SIGTERM)
        return confirmation


class CountedPoison(LinePoison):
    """Notes how many lines each write has."""

    def write(self, messages):
        """Write, and count."""
        self.sizes = [*getattr(self, "sizes", []), len(messages)]
        super().write(messages)


def publish_here(path, *, publisher=None, sink=None, max_poison=None, brokers=NOBODY):
    """Publish *path* in the process of the test and return the exit code."""
    config = KafkaPublisherConfig(brokers=[brokers], close_timeout=0.1, properties={"log_level": 0})
    files = EventFiles([str(path)], None, max_poison)
    files.sink = sink or files.sink
    return Publish(publisher or KafkaPublisher(config), "events", files, 0.0).run()


@pytest.mark.slow
def test_a_signal_without_brokers_does_not_wait_for_the_close_time_out(tmp_path):
    """Ten minutes to close are for brokers that answer; the publisher does not wait again when it closes."""
    write_events(tmp_path / "in.ndjson", 100)
    process = start(tmp_path, "in.ndjson", "--brokers", NOBODY, MILLSTREAM_ROUTER__CLOSE_TIMEOUT="600")
    wait_for_line(process, b"confirmed 0 poisoned 0")  # the first second is over, and everything handed over
    process.send_signal(signal.SIGINT)
    code, err = end_of(process)

    assert code == 5, err
    assert b"0 events confirmed, 100 not: interrupted" in err


def test_what_an_interrupted_run_says_adds_up(tmp_path, mock_cluster, capsys):
    """Each line that was read is confirmed or not, also those that had not been handed over yet."""
    mock_cluster.create_topic("events")
    write_events(tmp_path / "in.ndjson", 1500)
    publisher = InterruptedPublisher(KafkaPublisherConfig(brokers=[mock_cluster.bootstrap_servers]))
    code = publish_here(tmp_path / "in.ndjson", publisher=publisher)
    [(confirmed, others)] = re.findall(r"(\d+) events confirmed, (\d+) not: interrupted", capsys.readouterr().err)

    assert code == 5
    assert int(confirmed) + int(others) == 1500


@pytest.mark.slow
def test_an_interrupt_is_heard_while_a_topic_waits_to_be_created(tmp_path):
    """Nobody answers, and nothing was begun."""
    write_events(tmp_path / "in.ndjson", 1)
    process = start(tmp_path, "in.ndjson", "--brokers", NOBODY, "--create-topic", "1")
    wait_for_line(process, b"no Kafka broker can be reached")
    process.send_signal(signal.SIGINT)
    code, err = end_of(process)

    assert (code, err) == (130, b"millstream: interrupted\n")


@pytest.mark.slow
def test_a_second_signal_ends_the_wait_for_brokers_at_once(tmp_path, mock_cluster):
    """With all the time in the world to close and brokers that go on answering: 128 + number, and the counts."""
    mock_cluster.create_topic("events")
    mock_cluster.set_delay(0.3)
    write_events(tmp_path / "in.ndjson", 1000)
    # A request for each message, five on the way: a minute of answers.
    config = '[router]\nclose_timeout = 600\n[kafka.properties]\n"batch.num.messages" = 1\n'
    (tmp_path / "millstream.toml").write_text(config)
    process = start(tmp_path, "in.ndjson", "--brokers", mock_cluster.bootstrap_servers)
    for _ in range(4):  # seconds: connected, and answered again and again
        wait_for_line(process, b"confirmed 0 ")
    process.send_signal(signal.SIGINT)
    for _ in range(2):
        wait_for_line(process, b"confirmed 0 ")
    process.send_signal(signal.SIGTERM)
    code, err = end_of(process)

    assert code == 128 + signal.SIGTERM, err
    assert re.search(rb"^confirmed \d+ poisoned 0 lines 1000 ", err, re.MULTILINE)


def test_signals_are_heard_while_the_publisher_closes(tmp_path, mock_cluster):
    """Until the last line is said, a second signal is ours and not the end of the process."""
    mock_cluster.create_topic("events")
    (tmp_path / "in.ndjson").write_bytes(make_payload())
    before = signal.getsignal(signal.SIGTERM)
    publisher = WatchedPublisher(KafkaPublisherConfig(brokers=[mock_cluster.bootstrap_servers]))
    code = publish_here(tmp_path / "in.ndjson", publisher=publisher)

    assert code == 0
    assert publisher.listener != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_refused_lines_of_a_block_are_written_at_once(tmp_path, mock_cluster):
    """Each write waits for the disk, so there is one for as many lines as were read at a time."""
    path = tmp_path / "in.ndjson"
    path.write_bytes(b"bad\n" * 500)
    sink = CountedPoison([Input(str(path))], None)
    code = publish_here(path, sink=sink, brokers=mock_cluster.bootstrap_servers)

    assert code == 3
    assert sink.sizes == [500]


def test_what_was_refused_before_a_halt_is_set_aside(tmp_path, mock_cluster):
    """`--max-poison 2` ends at the third bad line, and all three are in the file."""
    path = tmp_path / "in.ndjson"
    path.write_bytes(b"bad\n" * 10)
    with pytest.raises(Exception, match="3 lines were refused, more than --max-poison 2"):
        publish_here(path, max_poison=2, brokers=mock_cluster.bootstrap_servers)

    assert (tmp_path / "in.ndjson.poison.ndjson").read_bytes().count(b"\n") == 3


@pytest.mark.slow
def test_confirmed_events_are_counted_while_stdin_is_silent(tmp_path, mock_cluster):
    """The count grows when the brokers confirm, not when the next line comes."""
    mock_cluster.create_topic("events")
    process = start(tmp_path, "-", "--brokers", mock_cluster.bootstrap_servers)
    send(process, make_payload())
    wait_for_line(process, b"confirmed 1 ")
    process.stdin.close()

    assert process.wait(WAIT) == 0
    process.stderr.close()


@pytest.mark.slow
def test_a_missing_topic_is_told_while_stdin_is_silent(tmp_path, mock_cluster):
    """The first line is refused, and the run ends without a second one."""
    process = start(tmp_path, "-", "--brokers", mock_cluster.bootstrap_servers, "--topic", "evnts")
    send(process, make_payload())
    code, err = end_of(process)

    assert code == 2
    assert b"topic 'evnts' does not exist" in err


def test_refused_credentials_are_told_before_the_first_line(tmp_path, own_kafka):
    """Nothing was published yet, and the run ends all the same."""
    login = {"USE_SASL": "true", "SASL_USER": USER, "SASL_PASSWORD": "not-the-secret"}
    settings = {f"MILLSTREAM_KAFKA__{key}": value for key, value in login.items()}
    process = start(tmp_path, "-", "--brokers", own_kafka.addresses["SASL_PLAINTEXT"], **settings)
    code, err = end_of(process)

    assert code == 2, err
    assert err.count(b"refused us") == 1
