"""Usage events from a Kafka topic into ClickHouse, until Ctrl-C or SIGTERM: an offset is committed once its row is stored.

    scripts/kafka start --port 9092                          # or: docker compose up --wait
    export MILLSTREAM_KAFKA__BROKERS=localhost:9092
    millstream publish examples/events.ndjson.gz --topic events --create-topic 4
    millstream publish /dev/null --topic event_processing_dlq --create-topic 1
    python examples/ex06_kafka_to_clickhouse.py

Everything else comes from `millstream.toml` and from variables `MILLSTREAM_…`, as for `millstream run`: [kafka], [clickhouse],
[event_processing], [batch], [billing], [post_processing], [retry], [router] and [poison]. The options below win. What cannot be
stored goes to the lane's `topic_dlq` with its reason, to `<topic>-dlq` with --topic; without that topic it does not start.
"""

import argparse
import contextlib

import msgspec
from loguru import logger

from millstream.handlers import EventConsumptionService, EventRepository, Settings, load_settings
from millstream.handlers.events import LaneConfig, PostProcessor
from millstream.middleware import CorrelationID, FailurePolicy
from millstream.router import (
    KafkaPublisher,
    KafkaSubscriber,
    Router,
    RouterConfig,
    SignalsHandler,
    exit_on_error,
)


def parse() -> argparse.Namespace:
    """Return what was given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", help="host:port, several separated by commas; default: those of [kafka]")
    parser.add_argument("--topic", help="default: that of [event_processing], which is events")
    parser.add_argument("--group", help="its members share the partitions; default: that of [event_processing]")
    parser.add_argument("--store", help="default: that of [clickhouse], which is chdb://millstream-data")
    return parser.parse_args()


def lane_of(settings: Settings, options: argparse.Namespace) -> LaneConfig:
    """Return the regular lane of *settings*, with what *options* say in its place; registering it obeys `enabled`."""
    lane = settings.event_processing
    if options.topic is not None:
        lane = msgspec.structs.replace(lane, topic=options.topic, topic_dlq=f"{options.topic}-dlq")
    if options.group is not None:
        lane = msgspec.structs.replace(lane, consumer_group=options.group)
    return lane


def main() -> None:
    options = parse()
    logger.enable("millstream")
    settings = load_settings(store=options.store)
    store, kafka, lane = settings.clickhouse, settings.kafka, lane_of(settings, options)
    brokers = [] if options.brokers is None else options.brokers.split(",")
    subscriber = KafkaSubscriber(kafka.subscriber_config(lane.consumer_group, brokers))
    publisher = KafkaPublisher(kafka.publisher_config(brokers))
    repository = EventRepository.open(
        store.address,
        database=store.database,
        table=store.table,
        billing=settings.billing,
        insert_deadline=store.insert_deadline,
        compression=store.compression,
    )
    told = settings.post_processing.topic
    processor = None if told is None else PostProcessor(publisher, told)
    service = EventConsumptionService(repository, batch_config=settings.batch, post_processor=processor)

    router = Router(RouterConfig(close_timeout=settings.router.close_timeout, poison_limits=settings.poison))
    router.add_plugin(SignalsHandler())
    router.add_middleware(CorrelationID(), FailurePolicy(retry=settings.retry.make_retry()))
    service.register_handler(router, subscriber, lane=lane, publisher=publisher)
    with contextlib.ExitStack() as end:
        end.callback(service.stop_inserts)  # after a second signal: the INSERT in hand gets a second
        router.run()
    print(service.stats)


if __name__ == "__main__":
    with exit_on_error():  # one line and exit code 2 for a topic that is missing or credentials that are refused
        main()
