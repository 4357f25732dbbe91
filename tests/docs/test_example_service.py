"""The example of a whole service really runs, both ways: events into a real store, sign-ups answered, and the rest set aside."""

import signal
import sys

import pytest

from millstream.router.testing import eventually
from tests.docs.test_readme import ROOT
from tests.handlers.cli.command_aids import query
from tests.handlers.cli.run.conftest import place
from tests.handlers.cli.run.service_process import ServiceProcess
from tests.router.kafka.raw_records import read_records

__all__ = ["place"]
pytestmark = pytest.mark.slow  # processes, a real broker and a real store
TIMEOUT = 60.0


class Script(ServiceProcess):
    """The example as a program of its own."""

    def __init__(self, folder):
        super().__init__(folder)
        self._line = [sys.executable, "ex07_whole_service.py"]


@pytest.fixture
def topics(place):
    """Its settings and the example beside them, reading and writing topics that nobody else has; returns those by their names."""
    text = (ROOT / "examples" / "ex07_whole_service.py").read_text()
    topics = {name: place.kafka.create_topic(1, prefix=name) for name in ("signups", "welcomes", "signups-dlq")}
    for name, topic in topics.items():
        assert text.count(f'"{name}"') == 1
        text = text.replace(f'"{name}"', f'"{topic}"')
    (place.folder / "ex07_whole_service.py").write_text(text)
    place.write()
    return topics


@pytest.mark.parametrize("way", ["command", "script"])
def test_the_service_stores_events_and_answers_signups(place, topics, way):
    """Both work side by side, each bad message goes to its own poison topic, and a signal ends all of it in order."""
    kafka = place.kafka
    ids = place.publish_events(500)
    place.publish(b"no event")
    place.publish(b'{"name": "Ada"}', b"nobody", topic=topics["signups"])

    with place.service("ex07_whole_service:make_router") if way == "command" else Script(place.folder) as service:
        place.wait_committed(501)
        is_answered = eventually(lambda: kafka.committed("welcomer", topics["signups"]) == {0: 2}, TIMEOUT)
        code = service.end()

    assert is_answered, service.lines
    assert code == 0, service.lines
    assert place.ids() == sorted(ids)
    values = {
        topic: [record.value() for record in read_records(kafka.bootstrap_servers, topic, sum(ends.values()))]
        for topic in (topics["welcomes"], topics["signups-dlq"], place.dlq)
        if (ends := kafka.end_offsets(topic))
    }
    assert list(values.values()) == [[b"Welcome, Ada!"], [b"nobody"], [b"no event"]]


def test_a_topic_that_is_missing_is_named(place, topics):
    """One line and exit code 2, whichever of the topics it is."""
    place.write(event_processing={"topic_dlq": "nobody-made-this"})
    with place.service("ex07_whole_service:make_router") as service:
        code = service.wait()

    assert code == 2, service.lines
    assert "event_processing.topic_dlq: there is no topic 'nobody-made-this'" in service.lines[-1]


@pytest.mark.parametrize("signals", [1, 2])
def test_the_service_leaves_an_embedded_store_in_order(place, topics, signals):
    """After a first signal everything is stored, after a second what was stored before; the engine never crashes."""
    place.write(clickhouse={"dsn": "chdb://store"}, batch={"flush_interval": 0.1})
    with place.service("ex07_whole_service:make_router") as service:
        place.publish_events(300)
        place.wait_committed(300)
        place.publish_events(2000, "later")
        for _ in range(signals - 1):
            service.send(signal.SIGTERM)
            service.wait_for("closing on a signal")
        code = service.end()
    stored = int(query("SELECT uniqExact(id) FROM events", cwd=place.folder, store="chdb://store"))

    assert code == (0 if signals == 1 else 128 + signal.SIGTERM), service.lines
    assert stored >= place.committed() >= 300
