"""What batching saves of a steady stream: INSERTs of `millstream run`, counted by a real ClickHouse, fed by a real Kafka.

    make bench ARGS="-k bench_steady"

100 events a second for a minute (BENCH_STEADY_SECONDS), once with the defaults (250 events, 5 s), once with the settings that
lead back to one INSERT for each event. Everything published is in the table once at the end; the run fails when it is not.
"""

import contextlib
import os

import pytest

from tests.handlers.cli.run.conftest import make_place
from tests.handlers.cli.run.steady_load import ROLLBACK, measure
from tests.handlers.store.real_clickhouse import OwnClickHouse, RealClickHouse
from tests.router.kafka.real_kafka import OwnKafka, RealKafka

SECONDS = float(os.environ.get("BENCH_STEADY_SECONDS", "60"))
WAYS = {"the defaults: 250 events, 5 s": {}, "one by one: `batch_size=1`, `flush_interval=0.1`": ROLLBACK}
TIMES_FEWER = 200


@pytest.fixture
def place(tmp_path_factory):
    """A topic and a table; the brokers and the server are those of KAFKA_BOOTSTRAP_SERVERS and CLICKHOUSE_URL, else our own."""
    folder = tmp_path_factory.mktemp("steady")
    with contextlib.ExitStack() as stack:
        brokers, url = os.environ.get("KAFKA_BOOTSTRAP_SERVERS"), os.environ.get("CLICKHOUSE_URL")
        kafka = RealKafka(brokers) if brokers else OwnKafka(tmp_path_factory.mktemp("kafka"))
        stack.callback(kafka.close)
        clickhouse = RealClickHouse(url) if url else OwnClickHouse(tmp_path_factory.mktemp("clickhouse"))
        if not url:
            stack.callback(clickhouse.close)
        yield stack.enter_context(make_place(folder, kafka, clickhouse))


def bench_steady_stream(place):
    """Run both ways and print the table."""
    print("\n| settings | events | INSERTs | events per INSERT | last event stored after |\n|---|---|---|---|---|")
    counts = []
    for way, batch in WAYS.items():
        found = measure(place, batch, SECONDS)
        per_insert = found.events / found.inserts
        print(f"| {way} | {found.events:,} | {found.inserts:,} | {per_insert:,.0f} | {found.late:.1f} s |", flush=True)
        counts.append(found.inserts)
    batched, one_by_one = counts
    print(f"\n{one_by_one / batched:.0f} times fewer INSERTs")
    assert one_by_one >= TIMES_FEWER * batched
