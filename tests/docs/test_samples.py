"""The events in examples/, which the pages work with, are what the pages take them for."""

import gzip
import itertools

import pytest

from millstream.handlers import InvalidEvent, decode_event
from millstream.handlers.cli.demo_events import make_events
from tests.guards.sources import ROOT

EXAMPLES = ROOT / "examples"


def test_the_sample_is_made_up_and_the_same_for_everybody():
    """A thousand valid events with ids of their own, as `make_events` makes them: nobody's data, and always the same."""
    lines = gzip.decompress((EXAMPLES / "events.ndjson.gz").read_bytes()).splitlines()

    assert lines == [payload for _, payload in itertools.islice(make_events(2026), 1000)]
    assert len({decode_event(line).id for line in lines}) == 1000


def test_the_mixed_events_have_one_that_is_refused_and_one_that_is_there_twice():
    """Twice with the same tenant, environment, point in time and id."""
    first, bad, *twice = (EXAMPLES / "mixed.ndjson").read_bytes().splitlines()
    one, other = map(decode_event, twice)

    assert decode_event(first).id == "e-17"
    with pytest.raises(InvalidEvent, match="timestamp: has no zone"):
        decode_event(bad)
    assert (one.id, one.timestamp, one.environment_id) == (other.id, other.timestamp, other.environment_id)
    assert one.properties != other.properties
