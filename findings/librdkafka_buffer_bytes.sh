#!/usr/bin/env bash
# The bound of a Kafka producer's buffer in kilobytes counts values only: keys and headers are free.
#
# Seen with confluent-kafka 2.16.1 (librdkafka 2.16.0), without any broker. librdkafka's CONFIGURATION.md describes
# queue.buffering.max.kbytes as the "maximum total message size sum allowed on the producer queue".
#
# With a bound of 10 KiB, ten messages with 1,000 bytes of value are taken and the next raises BufferError. Of messages with
# 1,000 bytes of key, or of header, and one byte of value, all 5,000 are taken: 5 MB behind a bound of 10 KiB. Whoever bounds the
# memory of a producer by bytes has to bound queue.buffering.max.messages as well, for the largest keys and headers there are.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.1

"$folder/venv/bin/python" - <<'PYTHON'
import sys

from confluent_kafka import Producer, libversion

MESSAGES = 5000
KILO = b"x" * 1000
SEEN = {"value": 10, "key": MESSAGES, "header": MESSAGES}
MESSAGE = {
    "value": {"value": KILO},
    "key": {"value": b"v", "key": KILO},
    "header": {"value": b"v", "headers": {"name": KILO}},
}


def taken(message):
    """Return how many such messages a buffer of 10 KiB takes that nothing leaves: nobody listens at the address."""
    producer = Producer({"bootstrap.servers": "127.0.0.1:1", "queue.buffering.max.kbytes": 10, "log_level": 0})
    for count in range(MESSAGES):
        try:
            producer.produce("topic", **message)
        except BufferError:
            break
    else:
        count = MESSAGES
    producer.purge()
    producer.flush(10)
    return count


print("librdkafka", libversion()[0], "- messages of 1,000 bytes in a buffer of 10 KiB, by where the bytes are")
found = {where: taken(message) for where, message in MESSAGE.items()}
for where, count in found.items():
    print(f"  {where:7} {count:5} taken, {SEEN[where]} seen before")
if found != SEEN:
    sys.exit("the behaviour has changed")
PYTHON
