"""Per-message against batched inserts: rows/s into embedded chDB, INSERTs as the engine counts them."""

import statistics
import time

import pytest

from millstream.handlers import BatchConfig, BatchMessage, MessageBatcher, decode_event
from millstream.router import MONOTONIC

SIZES = {1: 100, 250: 5_000, 1_000: 20_000, 10_000: 100_000}
"""Rows per INSERT, and the rows of one run: enough for 10 INSERTs and more, or about a second."""
RUNS = 9
DRAIN_SECONDS = 120


def store_all(service, messages, size):
    """Store *messages* in INSERTs of *size* rows: one by one the old way, else through a batcher."""
    if size == 1:
        for message in messages:
            service.process_message(message)
        return
    batcher = MessageBatcher(BatchConfig(batch_size=size, max_batch_size=size), service.process_batch)
    for message in messages:
        batcher.add(BatchMessage(message, decode_event(message.payload)))
    if not batcher.drain(MONOTONIC.now() + DRAIN_SECONDS):
        raise TimeoutError(f"not drained within {DRAIN_SECONDS} s")


@pytest.mark.benchmark(group="inserts: rows per INSERT", min_rounds=5, max_time=1.0)
@pytest.mark.parametrize("size", SIZES)
def bench_inserts(benchmark, service, store, make_messages, size):
    """Rows/s by rows per INSERT, with decoding, batching and holds; making the messages is not timed."""
    rows = SIZES[size]
    before = store.insert_count()
    runs = []

    def setup():
        runs.append(None)
        return (service, make_messages(rows), size), {}

    benchmark.pedantic(store_all, setup=setup, rounds=5, warmup_rounds=1)
    inserts = store.insert_count() - before
    benchmark.extra_info.update(
        rows=rows, inserts_per_run=inserts // len(runs), rows_per_second=round(rows / benchmark.stats.stats.median)
    )

    assert inserts == len(runs) * rows // size


def bench_ratio_of_batched_to_per_message(service, store, make_messages):
    """The claim: 10,000 rows an INSERT are at least 50 times the rows/s of one; alternating runs, median and spread."""
    rates = {size: [] for size in SIZES}
    for _ in range(RUNS):
        for size, rows in SIZES.items():
            messages = make_messages(rows)
            began = time.perf_counter()
            store_all(service, messages, size)
            rates[size].append(rows / (time.perf_counter() - began))
    ratios = {size: [many / one for many, one in zip(rates[size], rates[1], strict=True)] for size in SIZES}
    print()
    for size in SIZES:
        low, median, high = min(ratios[size]), statistics.median(ratios[size]), max(ratios[size])
        print(
            f"{size:>6} rows per INSERT: {statistics.median(rates[size]):>9,.0f} rows/s,"
            f" {median:6.1f} times one by one ({low:.1f} to {high:.1f})"
        )

    assert statistics.median(ratios[10_000]) >= 50
