"""Where is my event? Looks for an id in the topics of the lanes, in their poison topics, and in the table.

    python examples/find_event.py e-17                    # add --topic NAME to look in another topic as well
    python examples/find_event.py --poisoned              # what was set aside last, whatever its id

Brokers, lanes and store are those of the settings, as for `millstream run`. It joins no group and changes nothing, but it
reads every record of those topics. It compares ids, also those in a bulk message; where it can read none it searches the record
for the text, and says so. Poison files, such as those of `ingest` and `publish`, it does not know: use grep.

Exit code 0 where the event is in the table, or with --poisoned, else 1; 2 where it cannot look.
"""

import argparse
import contextlib
import datetime
import json
from collections.abc import Iterator
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as Record

from millstream.handlers import LaneConfig, Settings, load_settings, open_store
from millstream.router import TransientError, exit_on_error
from millstream.router.kafka.properties import client_properties

SECONDS = 5.0
"""What one answer of the brokers may take."""
COLUMNS = ("tenant_id", "environment_id", "timestamp", "external_customer_id", "ingested_at")
NO_GROUP = "find_event"
"""Of what is asked about no group; nothing is committed to it."""


def parse() -> argparse.Namespace:
    """Return what was given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("id", nargs="?", metavar="ID", help="of the event")
    parser.add_argument("--topic", action="append", default=[], metavar="NAME", help="look here, too; may be repeated")
    parser.add_argument("--poisoned", action="store_true", help="show the last records of the poison topics instead")
    parser.add_argument("--last", type=int, default=20, metavar="N", help="how many of each topic; default: 20")
    parser.add_argument("--brokers", metavar="HOST:PORT,…", help="default: those of [kafka]")
    options = parser.parse_args()
    if (options.id is None) != options.poisoned:
        parser.error("give the ID of an event, or --poisoned")
    if options.last < 1:
        parser.error("--last must be at least 1")
    return options


@contextlib.contextmanager
def client(settings: Settings, brokers: list[str], group: str = NO_GROUP) -> Iterator[Consumer]:
    """Open a consumer that can ask what *group* has committed, and never joins it."""
    properties = client_properties(settings.kafka.subscriber_config(group, brokers))
    own = {"group.id": group, "enable.auto.commit": False, "enable.partition.eof": True, "log_level": 0}
    consumer = Consumer({**properties, **own})
    try:
        yield consumer
    except KafkaException as error:
        raise TransientError(f"the brokers do not answer: {error.args[0].str()}") from None
    finally:
        consumer.close()


def read(consumer: Consumer, topic: str, *, last: int | None = None, is_expected: bool = True) -> Iterator[Record]:
    """Yield every record that *topic* holds now, or about the *last* ones of each partition, and say how many there were.

    Where there is no such topic, that is said if one *is_expected*.
    """
    partitions = consumer.list_topics(topic, SECONDS).topics[topic].partitions
    if not partitions:
        if is_expected:
            print(f"topic {topic}: no such topic")
        return
    count = 0
    for number in partitions:
        place = TopicPartition(topic, number, OFFSET_BEGINNING)
        if last is not None:
            first, end = consumer.get_watermark_offsets(place, SECONDS)
            place.offset = max(first, end - last)
        consumer.assign([place])
        while (record := consumer.poll(SECONDS)) is not None:
            error = record.error()
            if error is None:
                count += 1
                yield record
            elif error.code() == KafkaError._PARTITION_EOF:
                break
            else:
                raise TransientError(f"{topic}[{number}] cannot be read: {error.str()}")
        else:
            raise TransientError(f"{topic}[{number}] cannot be read: no answer within {SECONDS:g} s")
    print(f"topic {topic}: looked at {count:,} record{'' if count == 1 else 's'}")


def id_texts(payload: bytes) -> list[str] | None:
    """Return the ids in an event or a bulk message, a number as its text; `None` where there is none that can be read."""
    try:
        content = msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    parts = content["events"] if isinstance(content.get("events"), list) else []
    holders: list[dict[str, Any]] = [each for each in (content, *parts) if isinstance(each, dict) and "id" in each]
    ids = [each["id"] for each in holders]
    return [each if isinstance(each, str) else msgspec.json.encode(each).decode() for each in ids] or None


def match(record: Record, event_id: str) -> str | None:
    """Return what *record* has to do with the event, in words: nothing (`None`), it is the event (""), or it may be."""
    payload = record.value() or b""
    ids = id_texts(payload)
    if ids is not None:
        return "" if event_id in ids else None
    forms = {event_id, json.dumps(event_id)[1:-1], json.dumps(event_id, ensure_ascii=False)[1:-1]}
    return " contains the text;" if any(form.encode(errors="replace") in payload for form in forms) else None


def find(consumer: Consumer, topic: str, event_id: str, is_expected: bool) -> list[tuple[Record, str]]:
    """Return the records of *topic* that have to do with the event, each with what `match` says."""
    records = read(consumer, topic, is_expected=is_expected)
    return [(each, how) for each in records if (how := match(each, event_id)) is not None]


def place_of(record: Record) -> tuple[int, int]:
    """Return its partition and offset, which whatever a broker has sent has."""
    return record.partition() or 0, record.offset() or 0


def where(record: Record) -> str:
    """Return topic, partition and offset in words."""
    partition, offset = place_of(record)
    return f"topic {record.topic()}, partition {partition}, offset {offset}:"


def header(record: Record, name: str) -> str:
    """Return the text of a header; empty where there is none."""
    value = dict(record.headers() or []).get(name) or b""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def look_at_lane(consumer: Consumer, name: str, lane: LaneConfig, event_id: str) -> None:
    """Say where the event is in the topic of a lane, and whether its group is done with it."""
    for record, how in find(consumer, lane.topic, event_id, lane.enabled):
        partition, offset = place_of(record)
        committed = consumer.committed([TopicPartition(lane.topic, partition)], SECONDS)[0].offset
        state = "done with" if committed > offset else "not done with"
        note = "" if lane.enabled else f"; [{name}] is not enabled"
        print(f"{where(record)}{how} group {lane.consumer_group} is {state} it{note}")


def look_at_other(consumer: Consumer, topic: str, event_id: str, is_expected: bool) -> None:
    """Say where it is in a topic that no lane reads; with the reason, where it was set aside there."""
    for record, how in find(consumer, topic, event_id, is_expected):
        reason = header(record, "reason_poisoned")
        print(f"{where(record)}{how} {f'set aside: {reason}' if reason else 'no lane reads this topic'}")


def show_last(consumer: Consumer, topic: str, last: int, is_expected: bool) -> None:
    """Print when, why and by which handler the last records were set aside, the latest at the end."""
    records = sorted(read(consumer, topic, last=last, is_expected=is_expected), key=lambda each: each.timestamp()[1])
    for record in records[-last:]:
        at = datetime.datetime.fromtimestamp(record.timestamp()[1] / 1000, datetime.UTC)
        came_from = "/".join(header(record, f"{each}_poisoned") for each in ("topic", "partition", "offset"))
        reason, handler = header(record, "reason_poisoned"), header(record, "handler_poisoned")
        print(f"{where(record)} {at:%Y-%m-%d %H:%M:%S} {handler}, from {came_from}: {reason}")


def look_at_table(settings: Settings, event_id: str) -> bool:
    """Print the rows of the event, those that a merge will remove as well; returns whether there are any."""
    store = settings.clickhouse
    quoted = event_id.replace("\\", "\\\\").replace("'", "\\'")
    sql = f"SELECT {', '.join(COLUMNS)} FROM {store.table} WHERE id = '{quoted}' ORDER BY timestamp, ingested_at"
    with contextlib.closing(open_store(store.address, database=store.database, create=False)) as opened:
        rows = opened.query(sql).rows
    place = f"table {store.database}.{store.table} of {store.address.redacted}:"
    for row in rows:
        print(place, *(f"{name}={value}" for name, value in zip(COLUMNS, row, strict=True)))
    if not rows:
        print(place, "not there")
    return bool(rows)


def other_topics(settings: Settings, given: list[str]) -> dict[str, bool]:
    """Return the poison topics and those *given* that no lane reads, each once, with whether it is expected to be there."""
    lanes = settings.lanes.values()
    poison = {lane.poison_topic: False for lane in lanes if lane.poison_topic is not None}
    enabled = {lane.poison_topic: True for lane in lanes if lane.poison_topic is not None and lane.enabled}
    asked_for = dict.fromkeys((name for name in given if name not in {lane.topic for lane in lanes}), True)
    return poison | enabled | asked_for


def main(options: argparse.Namespace) -> int:
    settings = load_settings()
    brokers = [] if options.brokers is None else options.brokers.split(",")
    others = other_topics(settings, options.topic)
    if options.poisoned:
        with client(settings, brokers) as consumer:
            for topic, is_expected in others.items():
                show_last(consumer, topic, options.last, is_expected)
        return 0
    for name, lane in settings.lanes.items():
        with client(settings, brokers, lane.consumer_group) as consumer:
            look_at_lane(consumer, name, lane, options.id)
    with client(settings, brokers) as consumer:
        for topic, is_expected in others.items():
            look_at_other(consumer, topic, options.id, is_expected)
    return 0 if look_at_table(settings, options.id) else 1


if __name__ == "__main__":
    given = parse()
    with exit_on_error():
        code = main(given)
    raise SystemExit(code)
