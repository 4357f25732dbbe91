"""Per-message against batched inserts into a real ClickHouse server: from bytes to rows, INSERTs as the server counts.

    make bench ARGS="-k bench_server_inserts"

The old way decodes a message, sends its row, and takes the next. The others take messages in runs of 500, as they come from
Kafka, decode them and give them to the batcher of the regular lane: batches of exactly 250, and batches as they come, which grow
to 50,000 while there is a backlog. Nine alternating rounds into a table that is emptied before each; of every round all rows are
counted, and each offset is settled.

Once with the events of one day, as they come while things happen, and once with events of seven days: each INSERT then writes
into seven partitions, which costs one of 250 rows several times as much.
"""

import contextlib
import re
import statistics
import time

import pytest

from millstream.handlers import BatchConfig, EventConsumptionService, EventRepository
from millstream.handlers.events.decode_many import decode_events
from millstream.router import MONOTONIC, Assignment, MessageRun
from millstream.router.delivery.offset_book import OffsetBook

RUN_MESSAGES = 500
MAX_MESSAGE_BYTES = 1024 * 1024
DRAIN_SECONDS = 120
ROUNDS = 9
MESSAGES = {"one": 200, "250 fixed": 25_000, "coalescing": 400_000}
"""Of a round: some seconds in all."""
CONFIGS = {
    "250 fixed": BatchConfig(batch_size=250, max_batch_size=250),
    "coalescing": BatchConfig(),
}
LEAST = {"250 fixed": 200, "coalescing": 1_500}
"""Times the rows/s of one by one, of the events of one day."""
_date = re.compile(rb'(?<="timestamp":")[0-9-]{10}')


@pytest.fixture
def repository(place):
    """The table of *place*, on its server."""
    with contextlib.closing(EventRepository.open(place.clickhouse.address(database=place.database))) as repository:
        yield repository


def runs_of(payloads):
    """Return *payloads* as runs of one partition, fresh from a poll, and the book that they are in."""
    assignment, places = Assignment("events", 0), range(0, len(payloads), RUN_MESSAGES)
    pieces = [payloads[place : place + RUN_MESSAGES] for place in places]
    runs = [MessageRun(each, assignment, at, at + len(each) - 1) for at, each in zip(places, pieces, strict=True)]
    book = OffsetBook(assignment)
    for run in runs:
        book.append_run(run)
    return runs, book


def store_one_by_one(repository, payloads):
    """Store each of *payloads* before the next; returns the seconds."""
    service, began = EventConsumptionService(repository), time.perf_counter()
    for payload in payloads:
        service.process_raw_event(payload)
    return time.perf_counter() - began


def store_in_batches(repository, payloads, config):
    """Store *payloads* by the regular lane; returns the seconds until all are stored and settled."""
    batcher = EventConsumptionService(repository, batch_config=config).message_batcher
    runs, book = runs_of(payloads)
    began = time.perf_counter()
    for run in runs:
        run.delivery.begin()
        batcher.add_run(run, decode_events(run.payloads, max_message_bytes=MAX_MESSAGE_BYTES))
        run.finish()
    assert batcher.drain(MONOTONIC.now() + DRAIN_SECONDS)
    book.advance()
    assert book.next_offset == len(payloads)
    return time.perf_counter() - began


def measure(repository, way, payloads):
    """Return the rows/s of *way*, and its INSERTs."""
    table = f"{repository.database}.{repository.table_name}"
    repository.store.command(f"TRUNCATE TABLE {table}")
    before = repository.insert_count()
    config = CONFIGS.get(way)
    seconds = store_in_batches(repository, payloads, config) if config else store_one_by_one(repository, payloads)
    inserts = repository.insert_count() - before
    assert repository.store.query(f"SELECT count(), uniqExact(id) FROM {table}").rows == [(len(payloads),) * 2]
    return len(payloads) / seconds, inserts


def compare(repository, payloads):
    """Return the rates of each way, round by round, and the INSERTs that it took."""
    rates, inserts = {way: [] for way in MESSAGES}, {way: set() for way in MESSAGES}
    for _ in range(ROUNDS):
        for way, count in MESSAGES.items():
            rate, number = measure(repository, way, payloads[:count])
            rates[way].append(rate)
            inserts[way].add(number)
    assert (inserts["one"], inserts["250 fixed"]) == ({MESSAGES["one"]}, {MESSAGES["250 fixed"] // 250})
    return rates, inserts


@pytest.mark.parametrize("days", [1, 7])
def bench_server_inserts(repository, make_payloads, days):
    """The claim: 250 rows an INSERT are 200 times the rows/s of one, batches as they come 1,500 times."""
    payloads = make_payloads(max(MESSAGES.values()))
    if days == 1:
        payloads = [_date.sub(b"2026-01-10", payload) for payload in payloads]
    rates, inserts = compare(repository, payloads)
    print(f"\n| rows per INSERT, days: {days} | rows/s | times one by one |\n|---|---|---|")
    for way, count in MESSAGES.items():
        ratios = [many / one for many, one in zip(rates[way], rates["one"], strict=True)]
        median = statistics.median(ratios)
        each = f"{way}, {count // max(inserts[way]):,} on average" if way == "coalescing" else way
        ratio = f"{median:,.0f} ({min(ratios):,.0f} to {max(ratios):,.0f})"
        print(f"| {each} | {statistics.median(rates[way]):,.0f} | {ratio} |", flush=True)
        assert days > 1 or median >= LEAST.get(way, 0), way
