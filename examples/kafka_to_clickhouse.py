"""Usage events from a Kafka topic into ClickHouse, until Ctrl-C or SIGTERM: an offset is committed once its row is stored.

    scripts/kafka start --port 9092                          # or: docker compose up --wait
    export MILLSTREAM_KAFKA__BROKERS=localhost:9092
    millstream publish events.ndjson --topic events --create-topic 4
    python examples/kafka_to_clickhouse.py

Brokers, TLS and SASL come from [kafka] of `millstream.toml` and from variables `MILLSTREAM_KAFKA__…`; --brokers wins.
What cannot be stored goes to the topic `<topic>-dlq` with its reason; without that topic it does not start:
`kafka-topics --create --topic events-dlq`.
"""

import argparse
import contextlib

from loguru import logger

from millstream.handlers import EventConsumptionService, EventRepository, load_settings
from millstream.handlers.events import LaneConfig
from millstream.middleware import CorrelationID, FailurePolicy, Retry
from millstream.router import (
    KafkaPublisher,
    KafkaSubscriber,
    PoisonTopic,
    Router,
    SignalsHandler,
    exit_on_error,
)


def parse() -> argparse.Namespace:
    """Return where events come from and go to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", help="host:port, several separated by commas; default: those of [kafka]")
    parser.add_argument("--topic", default="events")
    parser.add_argument("--group", default="events-to-clickhouse", help="its members share the partitions")
    parser.add_argument("--store", default="chdb://millstream-data", help="or http://user:password@host:8123/database")
    return parser.parse_args()


def main() -> None:
    options = parse()
    logger.enable("millstream")
    kafka = load_settings().kafka
    brokers = [] if options.brokers is None else options.brokers.split(",")
    subscriber = KafkaSubscriber(kafka.subscriber_config(options.group, brokers))
    lane = LaneConfig(topic=options.topic, consumer_group=options.group, topic_dlq=f"{options.topic}-dlq")
    poison = PoisonTopic(KafkaPublisher(kafka.publisher_config(brokers)), lane.topic_dlq)
    service = EventConsumptionService(EventRepository.open(options.store))

    router = Router()
    router.add_plugin(SignalsHandler())
    router.add_middleware(CorrelationID(), FailurePolicy(retry=Retry(max_retries=3)))
    service.register_handler(router, subscriber, lane=lane, poison=poison)
    with contextlib.ExitStack() as end:
        end.callback(service.stop_inserts)  # after a second signal: the INSERT in hand gets a second
        router.run()
    print(service.stats)


if __name__ == "__main__":
    with exit_on_error():  # one line and exit code 2 for a topic that is missing or credentials that are refused
        main()
