"""Looking at what is really in a topic, past everything of ours."""

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka import Message as Record


def read_records(bootstrap_servers: str, topic: str, count: int, partitions: int = 1) -> list[Record]:
    """Return *count* records of *topic*, from the beginning of every partition; raises TimeoutError if none come for 20 s."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "raw-records"})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    records: list[Record] = []
    try:
        while len(records) < count:
            chunk = consumer.consume(count - len(records), 20.0)
            if not chunk:
                raise TimeoutError(f"{len(records)} of {count} records")
            records += [each for each in chunk if each.error() is None]
    finally:
        consumer.close()
    return records
