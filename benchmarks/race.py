"""From one topic into one table, side by side: a loop written by hand against the regular lane, in several ways.

    make race                                    # a broker and a server of its own; Java and Linux on x86-64
    python benchmarks/race.py [--events 1000000] [--runs 9] [--brokers HOST:PORT] [--store http://HOST:PORT/]

The same events lie in one topic of four partitions; each run reads all of it in a process and a group of its own into a new table
as `millstream migrate` makes it, in INSERTs of 50,000 rows at most. It counts only if the table has every row once and everything
is committed. Timed is the way from the first message to the last commit; the runs alternate, and each ratio is of neighbours.
The loop by hand checks nothing and knows no failure: it is what no library can be faster than.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
from confluent_kafka import Producer

from millstream.handlers.cli.demo_events import make_events
from millstream.handlers.events import create_events_table
from tests.handlers.store.real_clickhouse import OwnClickHouse, RealClickHouse
from tests.router.kafka.real_kafka import OwnKafka, RealKafka, unique

WAYS = ("raw", "product", "one bad in 50,000", "at most once", "own middleware")
PARTITIONS = 4
SEED = 1
BAD_EVERY = 50_000
RUN_SECONDS = 600


def parse():
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000, metavar="N", help="default: 1,000,000")
    parser.add_argument("--runs", type=int, default=9, metavar="N", help="of each way; default: 9")
    parser.add_argument(
        "--ways", default=",".join(WAYS), help="some of them, separated by commas; the first is compared with"
    )
    parser.add_argument("--brokers", metavar="HOST:PORT", help="default: a broker of its own")
    parser.add_argument("--store", metavar="URL", help="a ClickHouse server; default: one of its own")
    return parser.parse_args()


def full_event(payload):
    """Return a made-up event with every column: the way of most checks."""
    event = msgspec.json.decode(payload)
    return msgspec.json.encode({**event, "customer_id": f"c-{event['external_customer_id']}"})


def fill(kafka, events, *, bad_every=0):
    """Create a topic with so many events, spread evenly; returns its name."""
    topic = kafka.create_topic(PARTITIONS)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "linger.ms": 20, "batch.num.messages": 20_000})
    for number, (_, payload) in zip(range(events), make_events(SEED), strict=False):
        value = b"no event" if bad_every and number % bad_every == bad_every // 2 else full_event(payload)
        while True:
            try:
                producer.produce(topic, value, partition=number % PARTITIONS)
            except BufferError:
                producer.poll(0.1)
            else:
                break
    assert producer.flush(60) == 0
    return topic


def run(way, kafka, topic, store, events, bad):
    """Run one way and return what it says of itself, once the table and the commits are as they should be."""
    database = store.create_database()
    with contextlib.closing(store.open()) as client:
        for statement in create_events_table(database, "events"):
            client.command(statement)
        line = [sys.executable, str(Path(__file__).with_name("race_ways.py"))]
        group = unique("race")
        given = [way, kafka.bootstrap_servers, topic, group, str(events), store.address(database=database)]
        done = subprocess.run([*line, *given], capture_output=True, text=True, check=False, timeout=RUN_SECONDS)
        assert done.returncode == 0, done.stderr
        [(rows, ids)] = client.query(f"SELECT count(), uniqExact(id) FROM {database}.events").rows
    store.drop_database(database)
    assert (rows, ids) == (events - bad, events - bad), f"{way}: {rows} rows, {ids} ids of {events}"
    assert kafka.committed(group, topic) == kafka.end_offsets(topic), way
    return json.loads(done.stdout)


def report(ways, told, events):
    """Print medians, and ratios to the first way with their spread."""
    print(f"{'':20} {'rows/s':>10} {'CPU s per million':>18}  of {ways[0]}")
    for way in ways:
        rate = statistics.median(events / each["seconds"] for each in told[way])
        cpu = statistics.median(each["cpu"] / events * 1_000_000 for each in told[way])
        ratios = [first["seconds"] / each["seconds"] for first, each in zip(told[ways[0]], told[way], strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{way:20} {rate:>10,.0f} {cpu:>18.2f}  {spread}")


def main():
    """Run the race."""
    options = parse()
    ways = [way.strip() for way in options.ways.replace("50,000", "50.000").split(",")]
    ways = [way.replace("50.000", "50,000") for way in ways]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka = RealKafka(options.brokers) if options.brokers else OwnKafka(folder / "kafka")
        stack.callback(kafka.close)
        (folder / "clickhouse").mkdir()
        store = RealClickHouse(options.store) if options.store else OwnClickHouse(folder / "clickhouse")
        if isinstance(store, OwnClickHouse):
            stack.callback(store.close)
        topics = {False: fill(kafka, options.events), True: fill(kafka, options.events, bad_every=BAD_EVERY)}
        bad = len(range(BAD_EVERY // 2, options.events, BAD_EVERY))
        told = {way: [] for way in ways}
        for number in range(options.runs):
            for way in ways:
                is_bad = way.startswith("one bad")
                told[way].append(run(way, kafka, topics[is_bad], store, options.events, bad if is_bad else 0))
            print(f"run {number + 1} of {options.runs}", file=sys.stderr)
        report(ways, told, options.events)


if __name__ == "__main__":
    main()
