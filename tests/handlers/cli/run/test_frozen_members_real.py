"""Members that stop without a word, and logs that are not what they were."""

import contextlib
import signal

import pytest

from millstream.router.testing import eventually
from tests.handlers.cli.run.service_process import TIMEOUT
from tests.handlers.cli.run.watching import Watch, lay_out, rows_of

EVENTS = 6_000
PARTITIONS = 3
SESSION = {"classic": {"session_timeout": 6.0}, "consumer": {}}
"""With the new protocol the session is the broker's: 6 s in our own."""


@pytest.mark.parametrize("protocol", ["classic", pytest.param("consumer", marks=pytest.mark.soak)])
def test_a_member_that_was_frozen_commits_nothing_of_what_others_have(place, protocol):
    """It is thawed when another has taken over and read everything: no commit moves, nothing is lost, and it goes on."""
    place.write(
        kafka={"group_protocol": protocol, **SESSION[protocol]},
        event_processing={"rate_limit": 2000},
        batch={"batch_size": 250, "max_batch_size": 500, "flush_interval": 0.3},
    )
    place.publish_events(EVENTS)
    with contextlib.closing(place.clickhouse.open()) as store:
        layout = lay_out(place, store, EVENTS, PARTITIONS)
    with Watch(place, PARTITIONS, layout) as watch, place.service() as frozen:
        assert eventually(lambda: rows_of(place)[0] > 0, TIMEOUT), frozen.lines
        frozen.send(signal.SIGSTOP)
        before = place.committed()
        with place.service() as other:
            place.wait_committed(EVENTS)
            taken_over = place.kafka.committed(place.group, place.topic)
            frozen.send(signal.SIGCONT)
            # Back in the group: what it held of the old assignment is nobody's business any more.
            assert eventually(lambda: len(frozen.said("partitions assigned")) + len(frozen.said("lost")) > 1, TIMEOUT)
            after = place.kafka.committed(place.group, place.topic)
            place.publish_events(100, "later")
            place.wait_committed(EVENTS + 100)
            codes = [service.end() for service in (frozen, other)]
    _, different = rows_of(place)

    assert before < EVENTS, "frozen too late to hold anything"
    assert after == taken_over
    assert watch.ahead == []
    assert different == EVENTS + 100
    assert codes == [0, 0], (frozen.lines, other.lines)
    assert place.kafka.end_offsets(place.dlq) == {0: 0}


def test_retention_past_what_is_committed_halts(place):
    """Records that nobody has read are gone: exit code 4 and a line that says so, rather than a silent jump."""
    place.use_topic(1)
    place.write()
    place.publish_events(100)
    with place.service("--once") as service:
        assert service.wait() == 0, service.lines
    place.publish_events(100, "gone")
    place.kafka.delete_records(place.topic, 0, 150)
    with place.service() as service:
        code = service.wait()

    assert code == 4, service.lines
    assert place.committed() == 100
    (line,) = [line for line in service.lines if line.startswith("millstream:")]
    assert place.topic in line
