"""Orders from a topic of one's own into a table of one's own; what cannot be a row goes to a topic, with the reason.

    python examples/ex05_own_table.py
    millstream query --store chdb://millstream-data "SELECT customer, sum(cents) FROM orders FINAL GROUP BY 1 ORDER BY 1"

As it stands it makes its own orders, some of them wrong, and needs neither a broker nor a server. To change that:

- Kafka: give `make_router` a `KafkaSubscriber` and a `KafkaPublisher` in place of the broker, add a `SignalsHandler` to the
  router, and `run` it; both topics have to exist. `docs/own-tables.md` shows all of it.
- a server: `STORE = "http://user:password@host:8123/default"`, and let who may create tables run `CREATE` there.
"""

import msgspec
from loguru import logger

from millstream.handlers import BatchConfig, BatchMessage, ClickHouseTable, MessageBatcher, open_store
from millstream.middleware import CorrelationID, FailurePolicy, Retry
from millstream.router import (
    InMemoryConfig,
    InMemoryPubSub,
    Message,
    PermanentError,
    PoisonTopic,
    Publisher,
    Router,
    Subscriber,
)

STORE, DATABASE = "chdb://millstream-data", "default"
TOPIC, DLQ = "orders", "orders-dlq"


class Order(msgspec.Struct):
    id: str
    customer: str
    cents: int


# The window is what keeps an INSERT whose answer was lost from adding its rows twice; a repeated order replaces itself.
CREATE = """
CREATE TABLE IF NOT EXISTS orders
(
    id String,
    customer String,
    cents Int64,
    CONSTRAINT has_customer CHECK customer != ''
)
ENGINE = ReplacingMergeTree
ORDER BY (customer, id)
SETTINGS non_replicated_deduplication_window = 1000
"""


def decode(payload: bytes) -> Order:
    """Read an order; a message for which this raises goes to the DLQ at once."""
    try:
        return msgspec.json.decode(payload, type=Order)
    except msgspec.DecodeError as error:
        raise PermanentError(f"no order: {error}") from error


def line(each: BatchMessage) -> bytes:
    """Return the row of an order as JSON; an order for which this raises goes to the DLQ, and its neighbours are stored."""
    order: Order = each.item
    if order.cents <= 0:
        raise PermanentError(f"an order of {order.cents} cents")
    return msgspec.json.encode(order)


def make_router(subscriber: Subscriber, publisher: Publisher, table: ClickHouseTable) -> Router:
    """Return the service: orders of the topic into *table*, committed once they are stored or in the DLQ."""
    router = Router()
    router.add_middleware(CorrelationID(), FailurePolicy(retry=Retry(max_retries=3)))
    batcher = MessageBatcher(BatchConfig(batch_size=500, flush_interval=1.0), lambda batch: table.store(batch, line))
    batcher.attach(router, "orders", TOPIC, subscriber, decode=decode, poison=PoisonTopic(publisher, DLQ))
    return router


def make_orders(count: int) -> list[Message]:
    """Return orders of which two in a hundred are wrong: one that `line` refuses, and one that the table does."""
    orders = [
        Order(id=f"o-{number}", customer="" if number % 100 == 7 else f"c-{number % 4}", cents=number % 100)
        for number in range(count)
    ]
    return [Message(msgspec.json.encode(order)) for order in orders]


def main() -> None:
    logger.enable("millstream")
    store = open_store(STORE)
    store.command(CREATE)
    table = ClickHouseTable(store, database=DATABASE, table="orders", columns=Order.__struct_fields__)
    table.prepare()

    set_aside: list[str] = []
    broker = InMemoryPubSub(InMemoryConfig(block_publish_until_ack=True))
    router = make_router(broker, broker, table)
    router.add_consumer_handler(
        "set-aside", DLQ, broker, lambda message: set_aside.append(message.metadata["reason_poisoned"]), poison="drop"
    )
    router.start()
    broker.publish(TOPIC, *make_orders(1000), Message(b"no JSON"))
    router.close()
    store.close()
    for reason in sorted(set(set_aside)):
        print(set_aside.count(reason), reason)


if __name__ == "__main__":
    main()
