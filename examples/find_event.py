"""Where is my event? Looks for an id in the topics of the lanes, in their poison topics, and in the table.

    python examples/find_event.py e-17

Brokers, lanes and store are those of the settings, as for `millstream run`. It joins no group and changes nothing, but it
reads every record of those topics. Exit code 0 where the event is in the table, else 1.
"""

import contextlib
import sys
from collections.abc import Iterator

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as Record

from millstream.handlers import LaneConfig, Settings, load_settings, open_store
from millstream.router import TransientError, exit_on_error
from millstream.router.kafka.properties import client_properties

SECONDS = 5.0
"""What one answer of the brokers may take."""
COLUMNS = "tenant_id, environment_id, timestamp, external_customer_id, ingested_at"


@contextlib.contextmanager
def client(settings: Settings, group: str) -> Iterator[Consumer]:
    """Open a consumer that can ask what *group* has committed, and never joins it."""
    properties = client_properties(settings.kafka.subscriber_config(group))
    own = {"group.id": group, "enable.auto.commit": False, "enable.partition.eof": True, "log_level": 0}
    consumer = Consumer({**properties, **own})
    try:
        yield consumer
    except KafkaException as error:
        raise TransientError(f"the brokers do not answer: {error.args[0].str()}") from None
    finally:
        consumer.close()


def read_all(consumer: Consumer, topic: str) -> Iterator[Record]:
    """Yield every record that *topic* holds now; none where there is no such topic."""
    for number in consumer.list_topics(topic, SECONDS).topics[topic].partitions:
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING)])
        while (record := consumer.poll(SECONDS)) is not None:
            error = record.error()
            if error is None:
                yield record
            elif error.code() == KafkaError._PARTITION_EOF:
                break
            else:
                raise TransientError(f"{topic}[{number}] cannot be read: {error.str()}")


def is_about(record: Record, event_id: str) -> bool:
    """Whether the event, or a batch of events that holds it, stands in *record*."""
    return msgspec.json.encode(event_id) in (record.value() or b"")


def place_of(record: Record) -> tuple[int, int]:
    """Return its partition and offset, which whatever a broker has sent has."""
    return record.partition() or 0, record.offset() or 0


def look_at_lane(consumer: Consumer, name: str, lane: LaneConfig, event_id: str) -> None:
    """Say where the event is in the topic of a lane, and whether its group is done with it."""
    for record in read_all(consumer, lane.topic):
        if is_about(record, event_id):
            partition, offset = place_of(record)
            committed = consumer.committed([TopicPartition(lane.topic, partition)], SECONDS)[0].offset
            state = "done with" if committed > offset else "not done with"
            note = "" if lane.enabled else f"; [{name}] is not enabled"
            print(
                f"topic {lane.topic}, partition {partition}, offset {offset}: group {lane.consumer_group} is {state} it{note}"
            )


def look_at_poison(consumer: Consumer, topic: str, event_id: str) -> None:
    """Say whether it was set aside, and why."""
    for record in read_all(consumer, topic):
        if is_about(record, event_id):
            partition, offset = place_of(record)
            reason = dict(record.headers() or []).get("reason_poisoned") or b""
            text = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
            print(f"topic {topic}, partition {partition}, offset {offset}: set aside: {text}")


def look_at_table(settings: Settings, event_id: str) -> bool:
    """Print the rows of the event, those that a merge will remove as well; returns whether there are any."""
    where = settings.clickhouse
    quoted = event_id.replace("\\", "\\\\").replace("'", "\\'")
    sql = f"SELECT {COLUMNS} FROM {where.table} WHERE id = '{quoted}' ORDER BY timestamp, ingested_at"
    with contextlib.closing(open_store(where.address, database=where.database, create=False)) as store:
        rows = store.query(sql).rows
    for row in rows:
        print(f"table {where.database}.{where.table}:", *row)
    if not rows:
        print(f"table {where.database}.{where.table}: not there")
    return bool(rows)


def main(event_id: str) -> int:
    settings = load_settings()
    for name, lane in settings.lanes.items():
        with client(settings, lane.consumer_group) as consumer:
            look_at_lane(consumer, name, lane, event_id)
            if lane.topic_dlq not in {"none", "drop"}:
                look_at_poison(consumer, lane.topic_dlq, event_id)
    return 0 if look_at_table(settings, event_id) else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/find_event.py ID")
    with exit_on_error():
        code = main(sys.argv[1])
    sys.exit(code)
