"""The window of `millstream publish` on a publisher that is refused something: what is set aside, has failed, is raised."""

from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError

from millstream.handlers.cli.publish_window import Window
from millstream.router import ConfigurationError, HaltedError, Message
from millstream.router.kafka import KafkaPublisher, KafkaPublisherConfig
from tests.router.kafka.mock_cluster import MockCluster, Request

pytestmark = pytest.mark.slow  # brokers to talk to: seconds, not milliseconds

BAD = "_watermill_message_uuid"
"""A metadata entry that no record can have."""


@pytest.fixture
def window(mock_cluster: MockCluster) -> Iterator[Window]:
    """A window onto the topic `events` of the mock brokers."""
    mock_cluster.create_topic("events")
    publisher = KafkaPublisher(KafkaPublisherConfig(brokers=[mock_cluster.bootstrap_servers], close_timeout=0.1))
    yield Window(publisher, "events")
    publisher.close()


def never() -> bool:
    """Call nothing off."""
    return False


def messages(*metadata: str) -> list[Message]:
    """Return a message for each name of a metadata entry."""
    return [Message(b"payload", metadata={name: "value"}) for name in metadata]


def test_message_at_fault_is_set_aside_and_the_rest_goes_on(window: Window, mock_cluster: MockCluster) -> None:
    """Expect one too large for the topic to be no failure of the run: what follows is published."""
    mock_cluster.fail(Request.PRODUCE, *[KafkaError.MSG_SIZE_TOO_LARGE] * 2)
    aside: list[tuple[int, str]] = []
    window.publish(messages("a"), never, lambda place, reason: aside.append((place, reason)))
    window.finish(20.0, never)
    goes_on = window.publish(messages("b", BAD, "c"), never, lambda place, reason: aside.append((place, reason)))
    window.finish(20.0, never)

    assert goes_on
    assert [place for place, _ in aside] == [0, 1]
    assert "max.message.bytes" in aside[0][1]
    assert (window.confirmed, window.failed, window.unconfirmed, window.reason) == (2, 0, 0, "")


def test_message_at_fault_has_failed_where_nobody_sets_it_aside(window: Window) -> None:
    """Expect it to be counted, with its reason."""
    window.publish(messages("a", BAD), never)
    window.finish(20.0, never)

    assert (window.confirmed, window.failed) == (1, 1)
    assert BAD in window.reason


def test_halt_sets_aside_what_came_with_it(window: Window) -> None:
    """Expect all that was refused in a chunk to be handed over, and the first word to halt to come out."""
    aside: list[int] = []

    def halt(place: int, _reason: str) -> None:
        aside.append(place)
        raise HaltedError(f"at {place}")

    window.publish(messages(BAD, "a", BAD), never, halt)
    with pytest.raises(HaltedError, match="at 0"):
        window.finish(20.0, never)

    assert aside == [0, 2]
    assert window.confirmed == 1


@pytest.mark.parametrize("code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED])
def test_missing_right_is_a_configuration_error(window: Window, mock_cluster: MockCluster, code: int) -> None:
    """Expect one line that names topic and brokers, and nothing to be set aside for it."""
    mock_cluster.fail(Request.PRODUCE, *[code] * 5)
    aside: list[int] = []
    window.publish(messages("a"), never, lambda place, _reason: aside.append(place))
    with pytest.raises(ConfigurationError, match=r"no right to write to topic 'events' on [\d.:,]+") as caught:
        window.finish(20.0, never)

    assert "\n" not in str(caught.value)
    assert not aside


def test_topic_that_may_not_even_be_looked_at_is_a_configuration_error(
    window: Window, mock_cluster: MockCluster
) -> None:
    """Expect a right that is missing already for the metadata to be told like one that is missing for the writing."""
    mock_cluster.set_topic_error("events", KafkaError.TOPIC_AUTHORIZATION_FAILED)
    window.publish(messages("a"), never)

    with pytest.raises(ConfigurationError, match="no right to write"):
        window.finish(20.0, never)


def test_passing_fault_is_a_failure(window: Window, mock_cluster: MockCluster) -> None:
    """Expect what may work the next time neither to be set aside nor to be called a mistake."""
    mock_cluster.fail(Request.PRODUCE, KafkaError.INVALID_PRODUCER_EPOCH)
    aside: list[int] = []
    window.publish(messages("a"), never, lambda place, _reason: aside.append(place))
    window.finish(20.0, never)

    assert (window.failed, aside) == (1, [])
    assert window.reason
