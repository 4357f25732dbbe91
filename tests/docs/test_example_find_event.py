"""What `examples/find_event.py` takes for a record of an event; its commands run in `test_console_blocks`."""

import runpy

import pytest

from millstream.handlers import Settings
from millstream.handlers.events import LaneConfig
from tests.guards.sources import ROOT

FIND = runpy.run_path(str(ROOT / "examples" / "find_event.py"))
TEXT = " contains the text;"


class Record:
    """As far as it is looked at: a payload."""

    def __init__(self, payload):
        self.value = lambda: payload


@pytest.mark.parametrize(
    ("payload", "event_id", "found"),
    [
        pytest.param(rb'{"id": "e-17"}', "e-17", "", id="id"),
        pytest.param(rb'{"id": "caf\u00e9-1"}', "café-1", "", id="escaped, not ASCII"),
        pytest.param(rb'{"id": "a\/b-3"}', "a/b-3", "", id="escaped slash"),
        pytest.param(rb'{"id": 4711}', "4711", "", id="number"),
        pytest.param(rb'{"id": "e-1", "customer_id": "c-1"}', "c-1", None, id="text of another key"),
        pytest.param(rb'{"id": "e-17"}', "e-1", None, id="part of an id"),
        pytest.param(rb'{"events": [{"id": "b-1"}, {"id": 5}, 7], "tenant_id": "acme"}', "5", "", id="bulk"),
        pytest.param(rb'{"events": [{"id": "b-1"}], "tenant_id": "acme"}', "acme", None, id="not in bulk"),
        pytest.param(rb'{"event": {"id": "e-17"}}', "e-17", TEXT, id="no id where one is"),
        pytest.param(rb'{"id": "caf\u00e9-1', "café-1", TEXT, id="cut, escaped"),
        pytest.param('{"id": "café-1'.encode(), "café-1", TEXT, id="cut, as it is"),
        pytest.param(rb'["e-17"]', "e-17", TEXT, id="array"),
        pytest.param(b"\xff e-17", "e-17", TEXT, id="not UTF-8"),
        pytest.param(b"", "e-17", None, id="nothing"),
        pytest.param(None, "e-17", None, id="tombstone"),
    ],
)
def test_a_record_is_about_an_event_by_its_id(payload, event_id, found):
    """Compared as text; where no id can be read, the text is looked for, and that is said."""
    assert FIND["match"](Record(payload), event_id) == found


def test_poison_topics_are_looked_at_once_and_missed_only_where_they_are_used():
    """Those of lanes that are not enabled need not be there; what is asked for on the command line is expected."""
    lane = LaneConfig(topic="t", consumer_group="g", topic_dlq="dlq")
    settings = Settings(
        event_processing=lane,
        event_processing_lazy=LaneConfig(topic="l", consumer_group="g", topic_dlq="dlq", enabled=False),
        event_processing_replay=LaneConfig(topic="r", consumer_group="g", topic_dlq="r-dlq", enabled=False),
        bulk_event_consumption=LaneConfig(topic="b", consumer_group="g", topic_dlq="halt"),
    )

    assert FIND["other_topics"](settings, ["t", "evnts"]) == {"dlq": True, "r-dlq": False, "evnts": True}
