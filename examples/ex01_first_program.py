"""The first program: an event through a router and its middleware into an embedded store, which `millstream query` reads.

    python examples/ex01_first_program.py
    millstream query "SELECT * FROM events"

It stands in the README as well. Needs neither a broker nor a server.
"""

from millstream.handlers import BatchConfig, EventConsumptionService, EventRepository
from millstream.middleware import CorrelationID, FailurePolicy, Retry
from millstream.router import InMemoryConfig, InMemoryPubSub, Message, PoisonFile, Router

repository = EventRepository.open("chdb://millstream-data")
service = EventConsumptionService(repository, batch_config=BatchConfig(batch_size=250, flush_interval=1.0))
broker = InMemoryPubSub(InMemoryConfig(block_publish_until_ack=True))

router = Router()
router.add_middleware(CorrelationID(), FailurePolicy(retry=Retry(max_retries=3)))
service.register_handler(router, broker, poison=PoisonFile("poison.ndjson"))
router.start()
event = b'{"id": "1", "tenant_id": "acme", "environment_id": "prod", "event_name": "api_call", "customer_id": "c-1",'
event += b' "timestamp": "2026-11-23T10:00:00Z", "properties": {"bytes": 512}}'
broker.publish("events", Message(event))
router.close()
print(service.stats.events, "event in the store")
