"""A middleware of one's own: messages of tenants that are switched off are left out, and counted.

    python examples/ex03_own_middleware.py
    cd examples && python -m pytest test_ex03_own_middleware.py      # its test

Needs neither a broker nor a store.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from loguru import logger

from millstream import DROP, HandlerFunc, InMemoryConfig, InMemoryPubSub, Message, Router


class SkipTenants:
    """Leave out the messages of *tenants*, by their key: they count as handled, and no handler inside is called."""

    def __init__(self, tenants: Collection[bytes]) -> None:
        self.skipped: Counter[bytes] = Counter()
        self._tenants = frozenset(tenants)

    def __call__(self, next_handler: HandlerFunc) -> HandlerFunc:
        """Wrap *next_handler*: called once, at the start of the router."""

        def handle(message: Message) -> Sequence[Message] | None:
            if message.key is not None and message.key in self._tenants:
                self.skipped[message.key] += 1
                return None
            return next_handler(message)

        return handle


def show(message: Message) -> None:
    """Print an order."""
    print(message.payload.decode())


def main() -> None:
    logger.enable("millstream")
    skip = SkipTenants([b"globex"])
    broker = InMemoryPubSub(InMemoryConfig(block_publish_until_ack=True))
    router = Router()
    router.add_middleware(skip)
    router.add_consumer_handler("orders", "orders", broker, show, poison=DROP)
    router.start()
    for tenant in (b"acme", b"globex", b"initech"):
        broker.publish("orders", Message(b"an order of " + tenant, key=tenant))
    router.close()
    print("left out:", {tenant.decode(): count for tenant, count in skip.skipped.items()})


if __name__ == "__main__":
    main()
