"""`millstream run` after a bad deploy: nothing on its topic can be handled, and it halts instead of emptying it into the DLQ."""

import contextlib

import pytest

from tests.handlers.cli.command_aids import make_payload
from tests.router.kafka.raw_records import read_records

pytestmark = pytest.mark.slow

COUNT = 4000


def undecodable(place):
    """Publish what is no event."""
    payloads = [b"no event %d" % number for number in range(COUNT)]
    place.publish(*payloads)
    return payloads


def refused(place):
    """Publish events that a constraint of the table refuses."""
    with contextlib.closing(place.clickhouse.open()) as store:
        store.command(f"ALTER TABLE {place.database}.{place.table} ADD CONSTRAINT known CHECK tenant_id != 'unknown'")
    payloads = [make_payload(id=f"bad {number}", tenant_id="unknown") for number in range(COUNT)]
    place.publish(*payloads)
    return payloads


def run_to_its_end(place):
    """Run the service until it ends by itself; returns its exit code and what it said."""
    with place.service() as service:
        return service.wait(), service.said("halts")


@pytest.mark.parametrize(
    ("publish", "limit", "poison"),
    [
        pytest.param(undecodable, 1000, {}, id="undecodable, by default"),
        pytest.param(refused, 200, {"max_in_a_row": 200}, id="refused by the store"),
    ],
)
def test_nothing_but_bad_messages_halts_within_the_limit(place, publish, limit, poison):
    """Exit 4; the DLQ has less than the limit, and that is what is committed. Started again it goes on there, and halts again."""
    place.use_topic(1)
    place.write(poison=poison)
    payloads = publish(place)
    first, said = run_to_its_end(place)
    committed, poisoned = place.committed(), place.kafka.end_offsets(place.dlq)[0]
    second, _ = run_to_its_end(place)
    records = read_records(place.kafka.bootstrap_servers, place.dlq, place.kafka.end_offsets(place.dlq)[0])

    assert (first, second) == (4, 4), said
    assert any(f"{limit} messages in a row cannot be handled" in line for line in said)
    assert committed == poisoned == limit - 1
    assert [record.value() for record in records] == payloads[: 2 * (limit - 1)]
    assert place.committed() == len(records)
    assert place.ids() == []


def test_the_limits_are_settings(place):
    """A smaller one halts sooner; the good event in front of them is stored and committed."""
    place.use_topic(1)
    place.write(poison={"max_in_a_row": 10})
    place.publish(make_payload(id="good"), *[b"no event"] * 50)
    code, said = run_to_its_end(place)

    assert code == 4, said
    assert place.kafka.end_offsets(place.dlq)[0] == 9
    assert place.committed() == 10
    assert place.ids() == ["good"]
