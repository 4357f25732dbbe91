"""Batches of 50,000 on a real server: bad rows are found, wherever they are refused, and everything else is stored."""

import contextlib
import datetime

import msgspec
import pytest

from millstream.handlers.batching import BatchConfig, MessageBatcher
from millstream.handlers.store import ClickHouseTable
from millstream.middleware import FailurePolicy
from millstream.router import PoisonTopic, Router
from millstream.router.testing import FakeSubscriber, RecordingPublisher, running

COUNT = 50_000
BAD = {777: "by the encoder", 25_000: "by the driver", 49_999: "by the table"}


class Reading(msgspec.Struct):
    """A reading, and its time in seconds."""

    id: int
    sensor: str
    at: float


def encode(each):
    """The row of a reading."""
    reading = msgspec.json.decode(each.payload, type=Reading)
    return (reading.id, reading.sensor, datetime.datetime.fromtimestamp(reading.at, datetime.UTC))


def payload(number):
    """One message: bad in its own way where it is to be."""
    if number == 777:
        return b"odd"
    sensor = "none" if BAD.get(number) == "by the table" else "s"
    return msgspec.json.encode(Reading(-1 if BAD.get(number) == "by the driver" else number, sensor, number))


def raw_payload(number):
    """The same as lines: the table reads what it is sent."""
    if number == 777:
        return b"odd"
    at = "not a time" if BAD.get(number) == "by the driver" else "2026-01-01T00:00:00Z"
    return b'{"id":%d,"sensor":"%b","at":"%b"}' % (
        number,
        b"none" if BAD.get(number) == "by the table" else b"s",
        at.encode(),
    )


@contextlib.contextmanager
def table_on(real_clickhouse, compression):
    """The table, on a store that packs what it sends."""
    database = real_clickhouse.create_database()
    with contextlib.closing(real_clickhouse.open(compression=compression)) as store:
        store.command(
            f"CREATE TABLE {database}.readings (id UInt32, sensor String, at DateTime64(3, 'UTC'),"
            " CONSTRAINT known CHECK sensor != 'none') ENGINE = MergeTree ORDER BY id"
            " SETTINGS non_replicated_deduplication_window = 1000"
        )
        yield store, ClickHouseTable(store, database=database, table="readings", columns=["id", "sensor", "at"])
    real_clickhouse.drop_database(database)


def consume(process_batch, payloads):
    """Send *payloads* through a router; returns the batcher, and the reasons of what is in the DLQ by its place."""
    config = BatchConfig(batch_size=COUNT, max_batch_size=COUNT, flush_interval=30.0)
    batcher, router = MessageBatcher(config, process_batch), Router()
    subscriber, publisher = FakeSubscriber(in_runs=True), RecordingPublisher()
    router.add_middleware(FailurePolicy(retry=None))
    batcher.attach(router, "readings", "readings", subscriber, poison=PoisonTopic(publisher, "dlq"))
    with running(router):
        subscriber.subscription.deliver(*payloads)
        assert subscriber.subscription.wait_committed(COUNT, timeout=60.0)
    records = publisher.messages("dlq")
    return batcher, {int(each.metadata["offset_poisoned"]): each.metadata["reason_poisoned"] for each in records}


@pytest.mark.parametrize(
    ("compression", "encoder", "make", "said"),
    [
        pytest.param(
            "lz4",
            encode,
            payload,
            ["JSON is malformed", "column `id` is UInt32, and this int does not fit", "Constraint `known`"],
            id="objects",
        ),
        pytest.param("zstd", None, raw_payload, ["its payload is no JSON", "Cannot", "Constraint `known`"], id="raw"),
    ],
)
def test_fifty_thousand_rows_of_which_three_are_bad(real_clickhouse, compression, encoder, make, said):
    """49,997 are stored and three are in the DLQ, each with its reason; deleted and sent again they come back."""
    payloads = [make(number) for number in range(COUNT)]
    with table_on(real_clickhouse, compression) as (store, table):
        for _ in range(2):
            batcher, reasons = consume(table.writer(encoder), payloads)

            assert [(place, said[index] in reasons[place]) for index, place in enumerate(BAD)] == [
                (place, True) for place in BAD
            ]
            assert (len(reasons), batcher.flushes) == (len(BAD), 1)
            rows = store.query(f"SELECT count(), uniqExact(id) FROM {table.full_name}").rows
            assert rows == [(COUNT - 3, COUNT - 3)]
            store.command(f"TRUNCATE TABLE {table.full_name}")
