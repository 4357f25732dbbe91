"""Read by mypy only (`make check`): what users pass to the public protocols needs no cast, and what does not fit is refused."""

from collections.abc import Sequence

import msgspec

import millstream
from millstream import log_to_stderr
from millstream.handlers import Batch, BatchConfig, BatchMessage, BatchResult, ClickHouseTable, MessageBatcher
from millstream.middleware import CorrelationID, FailurePolicy, InstantAck, PoisonQueue, Recoverer, Retry, Throttle
from millstream.router import (
    DROP,
    HALT,
    REDELIVER,
    Assignment,
    Context,
    Handler,
    HandlerFunc,
    Hold,
    InMemoryPubSub,
    KafkaPublisher,
    KafkaSubscriber,
    Message,
    Middleware,
    Poison,
    PoisonFile,
    PoisonTopic,
    Publisher,
    Router,
    Subscriber,
    Supervised,
    Worker,
)
from millstream.router.testing import FakeSubscriber, FakeWorker, RecordingHandler, RecordingPublisher


def consume(message: Message) -> None:
    """Handle without producing."""
    hold: Hold = message.hold("owner")
    context: Context = message.context
    context.wait(0.0)
    message.metadata["chain"] = context.handler_name + context.subscribe_topic + context.publish_topic
    hold.release()


def produce(m: Message) -> Sequence[Message] | None:
    """Handle and produce; the name of the parameter is the user's."""
    return [m.copy()]


class Counting:
    """A handler that is an object, with a method that is a handler as well."""

    def __call__(self, message: Message) -> list[Message]:
        """Handle."""
        return [message]

    def method(self, message: Message) -> None:
        """Handle."""


def outside(next_handler: HandlerFunc) -> HandlerFunc:
    """Wrap a handler, by a function."""

    def inner(message: Message) -> Sequence[Message] | None:
        return next_handler(message)

    return inner


def whole(batch: Batch) -> BatchResult | None:
    """Process a batch, whose token names its rows."""
    return None if batch.token else BatchResult.all_but({0: ValueError("bad row")}, batch)


def stored(table: ClickHouseTable) -> MessageBatcher:
    """Store batches in a table, made of what the handler has put into them or of what came."""
    table.store([], lambda each: each.payload)
    return MessageBatcher(BatchConfig(), lambda batch: table.store(batch, encode))


def attached(table: ClickHouseTable, router: Router) -> Handler:
    """Attach a topic to a table, of payloads and of objects, and to a function."""
    MessageBatcher(BatchConfig(), table.writer()).attach(router, "raw", "raw", FakeSubscriber(), poison=DROP)
    MessageBatcher(BatchConfig(), whole).attach(router, "own", "own", broker, poison=HALT, decode=len)
    batcher = MessageBatcher(BatchConfig(), table.writer(lambda each: (each.item, 1)), name="objects")
    return batcher.attach(router, "objects", "objects", broker, poison=DROP, decode=msgspec.json.Decoder(int).decode)


def encode(each: BatchMessage) -> bytes:
    """Make a row."""
    return each.message.payload


def rows(batch: Sequence[BatchMessage]) -> None:
    """Process a batch of which only the messages matter."""


def wrong(number: int) -> None:
    """Fit nowhere."""


broker = InMemoryPubSub()
handlers: list[HandlerFunc] = [
    consume,
    produce,
    Counting(),
    Counting().method,
    lambda message: None,
    RecordingHandler(),
]
middlewares: list[Middleware] = [
    outside,
    CorrelationID(),
    FailurePolicy(),
    InstantAck(),
    PoisonQueue(),
    Recoverer(),
    Retry(),
    Throttle(1.0),
]
subscribers: list[Subscriber] = [broker, FakeSubscriber()]
publishers: list[Publisher] = [broker, RecordingPublisher()]
workers: list[Worker] = [MessageBatcher(BatchConfig(), whole), MessageBatcher(BatchConfig(), rows), FakeWorker()]
watched: list[Supervised] = [*workers]
choices: list[Poison] = [
    REDELIVER,
    HALT,
    DROP,
    "redeliver",
    "halt",
    "none",
    "drop",
    PoisonFile("f"),
    PoisonTopic(broker, "dlq"),
]


def kafka(publisher: KafkaPublisher, subscriber: KafkaSubscriber) -> None:
    """Kafka fits where the broker in memory does."""
    watched.append(publisher)
    router = Router()
    router.add_handler("a", "t", subscriber, "u", publisher, produce)
    router.add_consumer_handler("b", "t", subscriber, consume).add_middleware(outside, Retry())


def assigned(message: Message, assignment: Assignment) -> str:
    """An assignment is what a message takes for one, and has names of its own."""
    message.assignment = assignment
    return assignment.topic


def names(settings: millstream.Settings) -> None:
    """What a first program needs is at the top, as it is in the rooms."""
    kafka(
        millstream.KafkaPublisher(millstream.KafkaPublisherConfig(brokers=["a:1"])),
        millstream.KafkaSubscriber(
            millstream.KafkaSubscriberConfig(brokers=["a:1"], group_id=settings.event_processing.topic)
        ),
    )
    with millstream.exit_on_error():
        names(millstream.load_settings())
    for choice in (millstream.REDELIVER, millstream.HALT, millstream.DROP):
        millstream.Router().add_consumer_handler("n", "t", broker, consume, poison=choice)


Router().add_consumer_handler("c", "t", broker, wrong)  # type: ignore[arg-type] # takes no message
Router().add_middleware(consume)  # type: ignore[arg-type] # takes no handler
BatchResult({0: ValueError("bad row")})  # type: ignore[call-arg] # says nothing of the others
MessageBatcher(BatchConfig(), consume)  # type: ignore[arg-type] # takes no batch
Router().add_consumer_handler("d", "t", broker, consume, poison=None)  # type: ignore[arg-type] # says neither yes nor no
Router().add_consumer_handler("e", "t", broker, consume, poison="dlq")  # type: ignore[arg-type] # a topic needs a publisher


def set_up_log() -> None:
    """Log as the command line does, with the words of its options."""
    log_to_stderr()
    log_to_stderr("WARNING", "json")
    log_to_stderr(level="debug", log_format="xml")  # type: ignore[arg-type] # there is no such format
