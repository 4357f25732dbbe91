"""From batches back to one INSERT for each event and forward again, by the settings file alone; INSERTs counted by the engine."""

import pytest

from tests.handlers.cli.run.steady_load import ROLLBACK, measure

pytestmark = pytest.mark.slow
DEFAULTS = {}
SECONDS, FEWER = 60, 200


def test_one_insert_for_each_event_and_back_by_settings(place):
    """A thousand events are a thousand INSERTs, and with the defaults ten at most."""
    rolled_back = measure(place, ROLLBACK, seconds=0, rate=1000)
    back = measure(place, DEFAULTS, seconds=0, rate=1000)

    assert (rolled_back.events, rolled_back.inserts) == (1000, 1000)
    assert back.events == 1000
    assert 1 <= back.inserts <= 10


@pytest.mark.soak
def test_batches_save_most_inserts_of_a_steady_stream(place):
    """At 100 events a second for a minute, the way before batching against the defaults."""
    per_message = measure(place, ROLLBACK, SECONDS)
    batched = measure(place, DEFAULTS, SECONDS)

    assert per_message.inserts == per_message.events == batched.events == 100 * SECONDS
    assert batched.inserts * FEWER <= per_message.inserts
