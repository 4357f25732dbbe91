"""Which of many reports says why a transaction has failed."""

import pytest
from confluent_kafka import KafkaError

from millstream.router import Message
from millstream.router.kafka.publishing.transactions import Failure, told_most

PURGED, DOWN, LARGE = KafkaError._PURGE_QUEUE, KafkaError._TRANSPORT, KafkaError.MSG_SIZE_TOO_LARGE


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        pytest.param([], None, id="no failure"),
        pytest.param([PURGED, LARGE, PURGED], LARGE, id="the message at fault"),
        pytest.param([PURGED, DOWN, LARGE], LARGE, id="before anything that passes"),
        pytest.param([PURGED, DOWN], DOWN, id="what passes"),
        pytest.param([PURGED, PURGED], None, id="dropped for a reason that the commit will say"),
    ],
)
def test_a_message_at_fault_is_told_before_those_that_were_dropped_because_of_it(codes, told):
    """Their reports come in any order; taken for an outage, the one would hold up all others for ever."""
    failure = told_most([Failure(KafkaError(code), "topic", Message(b"x")) for code in codes])

    assert (None if failure is None else failure.error.code()) == told
