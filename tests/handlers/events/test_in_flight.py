"""How many batches of events a service has in flight, when its settings leave that open."""

import pytest

from millstream.handlers import BatchConfig, EventConsumptionService, EventRepository
from millstream.handlers.events import PostProcessor
from millstream.handlers.testing import FakeStore
from millstream.router import InMemoryPubSub


@pytest.mark.parametrize(
    ("store_takes", "is_telling", "config", "expected"),
    [
        pytest.param(2, False, BatchConfig(), 2, id="a server"),
        pytest.param(1, False, BatchConfig(), 1, id="an embedded store"),
        pytest.param(2, True, BatchConfig(), 1, id="others are told"),
        pytest.param(2, True, BatchConfig(max_in_flight=3), 3, id="the user says"),
        pytest.param(2, False, BatchConfig(max_in_flight=1), 1, id="the user says one"),
    ],
)
def test_as_many_as_the_store_takes_but_one_where_others_are_told(store_takes, is_telling, config, expected):
    """Two batches at a time would tell others in another order than that of the keys."""
    store = FakeStore()
    store.at_once = store_takes
    processor = PostProcessor(InMemoryPubSub(), "told") if is_telling else None
    service = EventConsumptionService(EventRepository(store), batch_config=config, post_processor=processor)

    assert service.batch_config.at_once == expected
