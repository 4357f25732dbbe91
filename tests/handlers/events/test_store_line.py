"""Which bytes of an event go into the store: as they came, unless a key is given twice."""

import json

import pytest

from millstream.handlers.batching import Batch, BatchMessage
from millstream.handlers.events import EventRepository, decode_event
from millstream.handlers.events.raw_line import store_line
from millstream.router import Message
from tests.handlers.events.event_payloads import make_payload, make_raw

LONG_NUMBER = b'{"n": ' + b"7" * 5000 + b"}"
FULL = make_payload(customer_id="k", source="s", external_customer_id="c")


def with_more(text, payload=FULL):
    """Return *payload* with *text* as its last fields."""
    return payload[:-1] + b"," + text + b"}"


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(make_payload(), id="not all columns"),
        pytest.param(FULL, id="all columns"),
        pytest.param(make_payload(customer_id=None, source=None), id="nulls"),
        pytest.param(with_more(b'"extra":1,"extra":2'), id="an unknown key twice"),
        pytest.param(make_raw(properties=b'{"id": 1, "id": 2}', customer_id=b'"k"', source=b'"s"'), id="nested"),
        pytest.param(make_raw(properties=rb'{"a": "\"id\""}', customer_id=b'"k"', source=b'"s"'), id="in a string"),
    ],
)
def test_a_payload_without_repeated_keys_goes_as_it_is(payload):
    """The bytes of an ordinary event are sent unchanged."""
    assert store_line(decode_event(payload), payload) is payload


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(with_more(b'"id":"second"'), id="the same key"),
        pytest.param(with_more(b'"\\u0069d":"second"'), id="the same key, escaped"),
        pytest.param(
            with_more(b'"id":"second"', make_payload(customer_id=None, source=None)), id="columns that are null"
        ),
        pytest.param(
            with_more(b'"id":"second"', make_raw(properties=LONG_NUMBER, customer_id=b'"k"', source=b'"s"')),
            id="beside a number of 5,000 digits",
        ),
    ],
)
def test_a_repeated_key_is_stored_as_the_decoder_read_it(payload, chdb_store, database):
    """The store would take the first value where the decoder took the last; what is stored is what was validated."""
    event = decode_event(payload)
    repository = EventRepository(chdb_store, database=database)
    repository.create_table()
    repository.store_batch(Batch([BatchMessage(Message(payload), event)]))
    rows = chdb_store.query(f"SELECT id, properties FROM `{database}`.events").rows

    assert event.id == "second"
    assert [(row[0], row[1]) for row in rows] == [("second", bytes(event.properties).decode())]
    assert json.loads(store_line(event, payload).replace(b"7" * 5000, b"7"))["id"] == "second"
