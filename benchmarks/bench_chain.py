"""What the router costs per message: broker, chunk, chain, ack, offset book; with 0 and with 4 middlewares."""

import threading

import pytest

from millstream.middleware import CorrelationID, PoisonQueue, Recoverer, Retry
from millstream.router import InMemoryConfig, InMemoryPubSub, Message, Router
from millstream.router.running.chain import build_chain

MESSAGES = 100_000
CHAINS = {0: [], 4: [CorrelationID(), PoisonQueue(), Retry(), Recoverer()]}


@pytest.mark.benchmark(group="chain: one call")
@pytest.mark.parametrize("count", CHAINS)
def bench_chain_call(benchmark, count):
    """The bare call chain around an empty handler."""
    chain = build_chain(lambda message: None, CHAINS[count])
    benchmark(chain, Message(b"{}", uuid="u"))


@pytest.mark.benchmark(group=f"chain: {MESSAGES:,} messages through broker and router")
@pytest.mark.parametrize("count", CHAINS)
def bench_router(benchmark, count):
    """Messages through the in-memory broker and a router with an empty handler; making the messages is not timed."""
    done, seen = threading.Event(), 0

    def handle(message):
        nonlocal seen
        seen += 1
        if seen == MESSAGES:
            done.set()

    broker, router = InMemoryPubSub(InMemoryConfig(buffer_messages=MESSAGES)), Router()
    router.add_middleware(*CHAINS[count])
    router.add_consumer_handler("count", "topic", broker, handle, poison="drop")
    router.start()

    def setup():
        nonlocal seen
        seen = 0
        done.clear()
        return ([Message(b"{}", uuid="u") for _ in range(MESSAGES)],), {}

    def run(messages):
        for first in range(0, MESSAGES, 1000):
            broker.publish("topic", *messages[first : first + 1000])
        if not done.wait(60):
            raise TimeoutError("not all messages were handled")

    benchmark.pedantic(run, setup=setup, rounds=9, warmup_rounds=1)
    benchmark.extra_info["ns_per_message"] = round(benchmark.stats.stats.median / MESSAGES * 1e9)
    router.close()
