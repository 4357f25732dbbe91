"""Two topics into two tables of one's own, by two lines each: one as Python objects, one as the JSON that it comes as.

    python examples/ex08_own_rows.py
    millstream query --store chdb://millstream-data "SELECT toDate(at), sum(amount) FROM payments GROUP BY 1 ORDER BY 1"

As it stands it makes its own messages, some of them wrong, and needs neither a broker nor a server. `docs/own-tables.md` says
what becomes of which, and `ex05_own_table.py` changes to Kafka and to a server as this one does.
"""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from loguru import logger

from millstream.handlers import BatchConfig, BatchMessage, ClickHouseTable, MessageBatcher, Store, open_store
from millstream.middleware import CorrelationID, FailurePolicy
from millstream.router import InMemoryConfig, InMemoryPubSub, Message, PoisonTopic, Publisher, Router, Subscriber

STORE, DATABASE = "chdb://millstream-data", "default"
DLQ = "refused"
CONFIG = BatchConfig(batch_size=500, flush_interval=1.0)

CREATE = [
    """
    CREATE TABLE IF NOT EXISTS payments
    (id UInt64, at DateTime64(3, 'UTC'), amount Decimal(12, 2), tags Array(String), CONSTRAINT is_paid CHECK amount > 0)
    ENGINE = ReplacingMergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 1000
    """,
    """
    CREATE TABLE IF NOT EXISTS clicks (page String, at DateTime64(3, 'UTC'), seen DateTime DEFAULT now())
    ENGINE = MergeTree ORDER BY (page, at) SETTINGS non_replicated_deduplication_window = 1000
    """,
]


class Payment(msgspec.Struct):
    """What a message of the topic says; the table has other types."""

    id: int
    unix_seconds: float
    cents: int
    tags: list[str]


decode = msgspec.json.Decoder(Payment).decode


def payment_row(each: BatchMessage) -> dict[str, Any]:
    """Return the row of a payment, by column; a message for which this raises goes to the DLQ, and its neighbours are stored."""
    payment: Payment = each.item
    return {
        "id": payment.id,
        "at": datetime.fromtimestamp(payment.unix_seconds, UTC),
        "amount": Decimal(payment.cents).scaleb(-2),
        "tags": payment.tags,
    }


def make_router(subscriber: Subscriber, publisher: Publisher, store: Store) -> Router:
    """Return the service: payments and clicks into their tables, committed once they are stored or in the DLQ."""
    payments = ClickHouseTable(store, database=DATABASE, table="payments", columns=["id", "at", "amount", "tags"])
    clicks = ClickHouseTable(store, database=DATABASE, table="clicks", columns=["page", "at"])
    router = Router()
    router.add_middleware(CorrelationID(), FailurePolicy(retry=None))

    batcher = MessageBatcher(CONFIG, payments.writer(payment_row), name="payments")
    batcher.attach(router, "payments", "payments", subscriber, decode=decode, poison=PoisonTopic(publisher, DLQ))

    batcher = MessageBatcher(CONFIG, clicks.writer(), name="clicks")
    batcher.attach(router, "clicks", "clicks", subscriber, poison=PoisonTopic(publisher, DLQ))

    return router


def make_payments(count: int) -> list[Message]:
    """Return payments of which three in a hundred are wrong: for `decode`, for a column, and for the table."""
    payments = [
        Payment(
            id=-1 if number % 100 == 7 else number, unix_seconds=1.8e9 + 60 * number, cents=number % 100, tags=["web"]
        )
        for number in range(count)
    ]
    return [Message(b"odd" if each.id % 100 == 3 else msgspec.json.encode(each)) for each in payments]


def make_clicks(count: int) -> list[Message]:
    """Return clicks, and one that is cut off."""
    clicks = [Message(b'{"page":"/p%d","at":"2027-01-01T12:00:00Z"}' % (number % 5)) for number in range(count)]
    return [*clicks, Message(b'{"page":"/p')]


def main() -> None:
    logger.enable("millstream")
    store = open_store(STORE)
    for statement in CREATE:
        store.command(statement)

    set_aside: Counter[str] = Counter()

    def count(message: Message) -> None:
        set_aside[message.metadata["reason_poisoned"]] += 1

    broker = InMemoryPubSub(InMemoryConfig(block_publish_until_ack=True))
    router = make_router(broker, broker, store)
    router.add_consumer_handler("set-aside", DLQ, broker, count, poison="drop")
    router.start()
    broker.publish("payments", *make_payments(1000))
    broker.publish("clicks", *make_clicks(1000))
    router.close()
    store.close()
    for reason, number in sorted(set_aside.items()):
        print(number, reason)


if __name__ == "__main__":
    main()
