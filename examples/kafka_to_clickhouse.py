"""Usage events from a Kafka topic into ClickHouse, until Ctrl-C or SIGTERM: an offset is committed once its row is stored.

    scripts/kafka start                                      # or: docker compose up --wait
    millstream publish events.ndjson --brokers 127.0.0.1:9092 --topic events --create-topic 4
    python examples/kafka_to_clickhouse.py --brokers 127.0.0.1:9092

What cannot be stored goes to the topic `<topic>-dlq` with its reason; that topic has to exist when it is needed.
"""

import argparse
import contextlib

from loguru import logger

from millstream.handlers import EventConsumptionService, EventRepository
from millstream.handlers.events import LaneConfig
from millstream.middleware import CorrelationID, FailurePolicy, Retry
from millstream.router import (
    KafkaPublisher,
    KafkaPublisherConfig,
    KafkaSubscriber,
    KafkaSubscriberConfig,
    PoisonTopic,
    Router,
    SignalsHandler,
    exit_on_error,
)


def parse():
    """Return where events come from and go to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", default="127.0.0.1:9092", help="host:port, several separated by commas")
    parser.add_argument("--topic", default="events")
    parser.add_argument("--group", default="events-to-clickhouse", help="its members share the partitions")
    parser.add_argument("--store", default="chdb://millstream-data", help="or http://user:password@host:8123/database")
    return parser.parse_args()


def main():
    options = parse()
    logger.enable("millstream")
    brokers = options.brokers.split(",")
    subscriber = KafkaSubscriber(KafkaSubscriberConfig(brokers=brokers, group_id=options.group))
    lane = LaneConfig(topic=options.topic, consumer_group=options.group, topic_dlq=f"{options.topic}-dlq")
    poison = PoisonTopic(KafkaPublisher(KafkaPublisherConfig(brokers=brokers)), lane.topic_dlq)
    service = EventConsumptionService(EventRepository.open(options.store))

    router = Router()
    router.add_plugin(SignalsHandler())
    router.add_middleware(CorrelationID(), FailurePolicy(retry=Retry(max_retries=3)))
    service.register_handler(router, subscriber, lane=lane, poison=poison)
    with contextlib.ExitStack() as end:
        end.callback(service.stop_inserts)
        router.run()
    print(service.stats)


if __name__ == "__main__":
    with exit_on_error():  # one line and exit code 2 for a topic that is missing or credentials that are refused
        main()
