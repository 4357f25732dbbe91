"""Which bytes of an event go into the store: as they came, unless it refuses them, as it does where a key is given twice."""

import pytest

from millstream.handlers.batching import Batch, BatchMessage
from millstream.handlers.events import EventRepository, decode_event
from millstream.router import Message
from tests.handlers.events.event_payloads import make_payload, make_raw

LONG_NUMBER = b'{"n": ' + b"7" * 5000 + b"}"
FULL = make_payload(customer_id="k", source="s", external_customer_id="c", id="first")
OTHER = make_payload(customer_id="k", source="s", external_customer_id="c", id="other")


def with_more(text, payload=FULL):
    """Return *payload* with *text* as its last fields."""
    return payload[:-1] + b"," + text + b"}"


@pytest.fixture(name="repository")
def repository_fixture(chdb_store, database):
    """Give a repository with a new, empty table."""
    repository = EventRepository(chdb_store, database=database)
    repository.create_table()
    return repository


def batch_of(*payloads):
    """Return a batch of *payloads*."""
    return Batch([BatchMessage(Message(payload), decode_event(payload)) for payload in payloads])


def stored(repository):
    """Return id and properties of what is stored."""
    rows = f"SELECT id, properties FROM `{repository.database}`.events ORDER BY id"
    return [(name, text.encode()) for name, text in repository.store.query(rows).rows]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(FULL, id="all columns"),
        pytest.param(with_more(b'"extra":1,"extra":2'), id="an unknown key twice"),
        pytest.param(make_raw(properties=b'{"id": 1, "id": 2}', customer_id=b'"k"', source=b'"s"'), id="nested"),
        pytest.param(make_raw(properties=rb'{"a": "\"id\""}', customer_id=b'"k"', source=b'"s"'), id="in a string"),
    ],
)
def test_a_payload_without_repeated_keys_goes_as_it_is(repository, payload):
    """The bytes of an event with every column are sent once, and stored."""
    batch, event = batch_of(payload), decode_event(payload)
    repository.store_batch(batch)

    assert repository.inserts(batch) == 1
    assert stored(repository) == [(event.id, bytes(event.properties))]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(with_more(b'"id":"second"'), id="the same key"),
        pytest.param(with_more(b'"\\u0069d":"second"'), id="the same key, escaped"),
        pytest.param(
            with_more(b'"id":"second"', make_payload(customer_id=None, source=None)), id="columns that are null"
        ),
        pytest.param(with_more(b'"id":"second"', make_payload()), id="not all columns"),
        pytest.param(
            with_more(b'"id":"second"', make_raw(properties=LONG_NUMBER, customer_id=b'"k"', source=b'"s"')),
            id="beside a number of 5,000 digits",
        ),
    ],
)
def test_a_repeated_key_is_stored_as_the_decoder_read_it(repository, payload):
    """The store would take the first value where the decoder took the last; what is stored is what was validated."""
    event = decode_event(payload)
    for batch in (batch_of(payload), batch_of(OTHER, payload), batch_of(payload, OTHER)):
        result = repository.store_batch(batch)

        assert (len(result.done), repository.inserts(batch)) == (len(batch), 2)
    assert event.id == "second"
    # The engine replaces rows of equal key in time, and is not asked for that here.
    assert set(stored(repository)) == {
        ("second", bytes(event.properties)),
        ("other", bytes(decode_event(OTHER).properties)),
    }
