"""What records say about brokers: in an outage, old ones say nothing."""

import pytest

from millstream.router.kafka.config import KafkaSubscriberConfig
from millstream.router.kafka.connection import ConnectionWatch
from millstream.router.kafka.consuming.signs_of_life import SignsOfLife


@pytest.mark.parametrize(
    ("outage", "polls", "is_in_contact"),
    [
        pytest.param("", [True], True, id="records where nothing is known"),
        pytest.param("", [False], False, id="nothing at all"),
        pytest.param("all down", [True, True], False, id="records that were fetched before the outage"),
        pytest.param("all down", [True, False, True], True, id="records after a poll without any"),
    ],
)
def test_records_are_a_sign_of_life(outage, polls, is_in_contact):
    """In an outage only what comes after a poll that found nothing is new."""
    watch = ConnectionWatch(KafkaSubscriberConfig(brokers=["nowhere:1"], group_id="g"))
    watch.outage = outage
    signs = SignsOfLife(watch)
    for has_messages in polls:
        signs.look(has_messages=has_messages)

    assert watch.is_in_contact is is_in_contact


def test_next_outage_begins_anew():
    """A poll that found nothing before it says nothing about it."""
    watch = ConnectionWatch(KafkaSubscriberConfig(brokers=["nowhere:1"], group_id="g"))
    signs = SignsOfLife(watch)
    signs.look(has_messages=False)
    signs.look(has_messages=True)
    signs.look(has_messages=True)
    watch.is_in_contact, watch.outage = False, "all down"
    signs.look(has_messages=True)

    assert not watch.is_in_contact
