"""What ends a publisher, and what does not: each waiting call hears why, in words of ours, and nobody waits for ever."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from millstream.router import ConfigurationError, Message, MillstreamError, StateError
from millstream.router.kafka import Confirmation
from millstream.router.testing import eventually
from tests.router.kafka.mock_cluster import MockCluster, Request
from tests.router.kafka.publisher_fixtures import MakePublisher

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("events_topic"),
]  # brokers to talk to: seconds, not milliseconds


FORKING = """
import os, signal
from millstream.router import Message, StateError
from millstream.router.kafka import KafkaPublisher, KafkaPublisherConfig

publisher = KafkaPublisher(KafkaPublisherConfig(brokers=["127.0.0.1:1"], close_timeout=0.1))
if not os.fork():
    signal.alarm(30)  # should it wait for ever
    try:
        publisher.publish("events", Message(b"payload"))
    except StateError as error:
        print(error, flush=True)
    publisher.close()
    os._exit(7)
print(os.waitstatus_to_exitcode(os.wait()[1]))
publisher.close()
"""


def frames_of(error: BaseException) -> int:
    """Return how many frames the traceback of *error* has."""
    count, traceback = 0, error.__traceback__
    while traceback is not None:
        count, traceback = count + 1, traceback.tb_next
    return count


@pytest.mark.parametrize(
    "code", [KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED]
)
def test_missing_right_to_write_at_all_is_a_configuration_error(
    mock_cluster: MockCluster, make_publisher: MakePublisher, code: int
) -> None:
    """Expect the brokers and what to do; librdkafka calls it fatal, and confluent-kafka raises it out of a poll."""
    mock_cluster.fail(Request.INIT_PRODUCER_ID, *[code] * 20)
    publisher = make_publisher()
    with pytest.raises(ConfigurationError, match=r"does not let us work.*have the right granted"):
        publisher.publish("events", Message(b"payload"))
    with pytest.raises(ConfigurationError, match=mock_cluster.bootstrap_servers):
        publisher.publish("events", Message(b"payload"))

    assert isinstance(publisher.error, ConfigurationError)


def test_fatal_error_ends_every_call_with_its_text(mock_cluster: MockCluster, make_publisher: MakePublisher) -> None:
    """Expect the reason and what to do for the calls that wait and for later ones, not that a thread died."""
    mock_cluster.fail(Request.PRODUCE, KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER)
    publisher = make_publisher()
    confirmation = publisher.publish_async("events", Message(b"payload"))
    is_ended = eventually(lambda: publisher.error is not None, 20)
    with pytest.raises(MillstreamError, match=r"cannot go on.*open a new one"):
        publisher.publish("events", Message(b"payload"))

    assert is_ended
    assert confirmation.wait(20)
    assert type(publisher.error) is MillstreamError
    assert "sequence" in str(publisher.error)


def test_call_between_a_fatal_error_and_its_report_ends_like_all(
    mock_cluster: MockCluster, make_publisher: MakePublisher
) -> None:
    """Expect the cause also for messages that the library takes no more before the poll thread has heard why."""
    publisher = make_publisher()
    publisher.publish("events", Message(b"first"))
    is_busy, may_go_on = threading.Event(), threading.Event()

    def keep_busy(confirmation: Confirmation) -> None:
        is_busy.set()
        may_go_on.wait(20)

    publisher.publish_async("events", Message(b"payload"), on_done=keep_busy)
    is_busy.wait(20)
    mock_cluster.fail(Request.PRODUCE, KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER)
    mock_cluster.watch()
    confirmations = [publisher.publish_async("events", Message(b"payload"))]
    is_refused = eventually(lambda: mock_cluster.requests(Request.PRODUCE), 20)
    confirmations += [publisher.publish_async("events", Message(b"payload")) for _ in range(2000)]
    may_go_on.set()
    ended = [each.wait(20) for each in confirmations]
    errors = {type(each.error) for each in confirmations[1:]}

    assert is_refused
    assert all(ended)
    assert errors == {MillstreamError}


def test_error_is_raised_anew_each_time(make_publisher: MakePublisher) -> None:
    """Expect an error of its own for each caller: one for all would gather their frames, and the messages in them."""
    publisher = make_publisher()
    publisher.close()
    caught: list[StateError] = []
    for _ in range(3):
        try:
            publisher.publish("events", Message(b"payload"))
        except StateError as error:
            caught.append(error)

    assert len({id(error) for error in caught}) == 3
    assert len({frames_of(error) for error in caught}) == 1


def test_outcome_is_raised_anew_each_time(mock_cluster: MockCluster, make_publisher: MakePublisher) -> None:
    """Expect two looks at an aborted call to give two errors with one text."""
    mock_cluster.fail(Request.INIT_PRODUCER_ID, *[KafkaError.CLUSTER_AUTHORIZATION_FAILED] * 20)
    confirmation = make_publisher().publish_async("events", Message(b"payload"))
    confirmation.wait(20)
    first, second = confirmation.error, confirmation.error

    assert isinstance(first, ConfigurationError)
    assert first is not second
    assert str(first) == str(second)


def test_forked_child_is_told_to_make_its_own() -> None:
    """Expect an error in the child instead of a wait for a thread that is not there, and a close that returns."""
    done = subprocess.run(
        [sys.executable, "-c", FORKING],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[4],
    )
    lines = done.stdout.splitlines()

    assert "make the publisher in the child" in lines[0], done.stderr
    assert lines[1:] == ["7"]


@pytest.mark.parametrize("signal", [SystemExit(3), GeneratorExit(), KeyboardInterrupt()], ids=lambda each: repr(each))
def test_on_done_cannot_end_the_poll_thread(make_publisher: MakePublisher, signal: BaseException) -> None:
    """Expect what means the end of a program or a generator to end nothing there."""

    def leave(confirmation: Confirmation) -> None:
        raise signal

    publisher = make_publisher()
    publisher.publish_async("events", Message(b"payload"), on_done=leave).wait(20)
    publisher.publish("events", Message(b"payload"))

    assert publisher.error is None


def test_keyboard_interrupt_in_an_on_done_of_the_main_thread_goes_on(make_publisher: MakePublisher) -> None:
    """Expect Ctrl-C to be heard where it falls into the callback of a call without messages."""

    def interrupt(confirmation: Confirmation) -> None:
        raise KeyboardInterrupt

    assert threading.current_thread() is threading.main_thread()
    with pytest.raises(KeyboardInterrupt):
        make_publisher().publish_async("events", on_done=interrupt)
