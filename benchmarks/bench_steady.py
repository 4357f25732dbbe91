"""What batching saves of a steady stream: INSERTs of `millstream run`, counted by a real ClickHouse, fed by a real Kafka.

    make bench ARGS="-k bench_steady"

100 events a second for a minute (BENCH_STEADY_SECONDS), once with the defaults (250 events, 5 s), once with the settings that
lead back to one INSERT for each event. Everything published is in the table once at the end; the run fails when it is not.
"""

import os

from tests.handlers.cli.run.steady_load import ROLLBACK, measure

SECONDS = float(os.environ.get("BENCH_STEADY_SECONDS", "60"))
WAYS = {"the defaults: 250 events, 5 s": {}, "one by one: `batch_size=1`, `flush_interval=0.1`": ROLLBACK}
TIMES_FEWER = 200


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
