"""What a delivery report means for its message: one table, no broker."""

import pytest
from confluent_kafka import KafkaError
from confluent_kafka import Message as Record

from millstream.router import Message
from millstream.router.kafka import Confirmation, KafkaPublisherConfig
from millstream.router.kafka.connection import ConnectionWatch
from millstream.router.kafka.publishing.outcomes import Outcomes

CONFIG = KafkaPublisherConfig(brokers=["nowhere:1"])
CONFIRMED, REFUSED, AGAIN = "confirmed", "refused", "sent again"


def fate(outcomes: Outcomes, code: int | None, offset: int | None = 5) -> str:
    """Return what becomes of a message whose report has *code* and *offset*."""
    confirmation = Confirmation("events", [Message(b"")])
    confirmation.start(lambda _: None)
    record = Record("events", 0) if offset is None else Record("events", 0, offset)
    outcomes.on_delivery(confirmation, 0, None if code is None else KafkaError(code), record)
    if not confirmation.is_done:
        return AGAIN
    return REFUSED if confirmation.failures else CONFIRMED


@pytest.mark.parametrize(
    ("code", "offset", "is_purging", "expected"),
    [
        pytest.param(None, 5, False, CONFIRMED, id="a broker named the offset"),
        pytest.param(None, None, False, AGAIN, id="inferred from a later one"),
        pytest.param(KafkaError.MSG_SIZE_TOO_LARGE, None, False, AGAIN, id="refused with its whole request"),
        pytest.param(KafkaError._MSG_TIMED_OUT, None, False, REFUSED, id="out of time"),
        pytest.param(KafkaError._PURGE_QUEUE, None, False, AGAIN, id="left in a stalled client"),
        pytest.param(KafkaError._PURGE_INFLIGHT, None, False, AGAIN, id="left in a stalled client, on its way"),
        pytest.param(KafkaError._PURGE_QUEUE, None, True, REFUSED, id="given up by a close"),
    ],
)
def test_report_decides(code: int | None, offset: int | None, is_purging: bool, expected: str) -> None:
    """What is sent again has no outcome yet, and waits for its turn."""
    outcomes = Outcomes(CONFIG, ConnectionWatch(CONFIG))
    outcomes.is_purging = is_purging

    assert fate(outcomes, code, offset) == expected
    assert len(outcomes.singles) == (expected == AGAIN)
    assert outcomes.is_moving == (expected == CONFIRMED)


def test_outage_is_part_of_the_reason() -> None:
    """Who hears that a message failed hears why in the same text."""
    watch = ConnectionWatch(CONFIG)
    outcomes, confirmation = Outcomes(CONFIG, watch), Confirmation("events", [Message(b"")])
    confirmation.start(lambda _: None)
    watch.outage = "all down"
    outcomes.on_delivery(confirmation, 0, KafkaError(KafkaError._MSG_TIMED_OUT), Record(topic="events"))

    assert confirmation.failures[0].endswith("no broker can be reached: all down")
