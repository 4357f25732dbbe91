"""Publishing events: the lane of each, and many in few messages, confirmed or named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.handlers.events import EventPublisher, decode_event, decode_event_batch
from millstream.router import ConfigurationError, PublishError
from millstream.router.testing import RecordingPublisher
from tests.handlers.events.publisher_aids import event


def bulk(*events, **options):
    """Return the messages that *events* are published in."""
    publisher = RecordingPublisher()
    EventPublisher(publisher, **options).publish_bulk(*events)
    return publisher.messages()


def ids(message):
    """Return the ids of the events of a bulk message."""
    return [each.event.id for each in decode_event_batch(message.payload).decode().good]


def test_events_of_a_lazy_tenant_go_to_the_lazy_topic():
    """A message each, keyed by tenant and customer; everybody else's go to the regular topic."""
    publisher = RecordingPublisher()
    EventPublisher(publisher, route_tenants_on_lazy_mode=["slow"]).publish(event("a"), event("b", "slow"))

    (regular,), (lazy,) = publisher.messages("events"), publisher.messages("events_lazy")
    assert (regular.uuid, regular.key) == ("a", b"acme:c-1")
    assert (lazy.uuid, lazy.key) == ("b", b"slow:c-1")


def test_a_bulk_message_is_what_the_original_writes():
    """The events with tenant and environment beside them, a new uuid, the three metadata entries, the tenant as key."""
    first, second = bulk(event("a"), event("b")), bulk(event("a"), event("b"))
    content = json.loads(first[0].payload)

    assert len(first) == 1
    assert list(content) == ["events", "tenant_id", "environment_id"]
    assert (content["tenant_id"], content["environment_id"]) == ("acme", "production")
    assert [decode_event(json.dumps(each).encode()).id for each in content["events"]] == ["a", "b"]
    assert first[0].metadata == {"tenant_id": "acme", "environment_id": "production", "batch_size": "2"}
    assert first[0].key == b"acme"
    assert first[0].uuid != second[0].uuid


def test_each_tenant_and_environment_has_groups_of_its_own():
    """However their events are mixed, each keeps its order."""
    events = [event("1"), event("2", "b"), event("3"), event("4", "b", "stage"), event("5", "b")]

    assert [ids(message) for message in bulk(*events)] == [["1", "3"], ["2", "5"], ["4"]]


def test_a_group_is_closed_by_number():
    """The next event begins another."""
    messages = bulk(*(event(str(number)) for number in range(5)), bulk_max_batch_size=2)

    assert [ids(message) for message in messages] == [["0", "1"], ["2", "3"], ["4"]]


def test_a_group_is_closed_by_bytes():
    """A payload may be as long as the limit, and no longer."""
    (two,) = bulk(event("1"), event("2"))
    size = len(two.payload)
    exact = bulk(*(event(str(number)) for number in range(4)), bulk_max_batch_bytes=size)
    less = bulk(*(event(str(number)) for number in range(4)), bulk_max_batch_bytes=size - 1)

    assert [len(ids(message)) for message in exact] == [2, 2]
    assert [len(ids(message)) for message in less] == [1, 1, 1, 1]


def test_an_event_that_is_larger_than_a_group_goes_alone():
    """In its place: what was published before it comes before it."""
    large = event("large", properties={"text": "x" * 2000})
    messages = bulk(event("1"), large, event("2"), event("3"), bulk_max_batch_bytes=1000)

    assert [ids(message) for message in messages] == [["1"], ["large"], ["2", "3"]]


def test_nothing_is_published_for_no_events():
    """There is no empty batch."""
    assert bulk() == []


def test_events_of_a_message_that_was_not_confirmed_are_named():
    """Each by its id with the reason; those of the other messages are out."""
    sent = []

    class SecondIsLost(RecordingPublisher):
        def publish(self, topic, *messages):
            sent.extend(messages)
            raise PublishError(topic, {messages[1].uuid: "timed out"})

    events = [event("1"), event("2"), event("3"), event("4")]
    with pytest.raises(PublishError) as caught:
        EventPublisher(SecondIsLost(), bulk_max_batch_size=2).publish_bulk(*events)

    assert caught.value.failures == {"3": "timed out", "4": "timed out"}
    assert caught.value.topic == "staging_events_bulk"
    assert len(sent) == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"bulk_max_batch_size": 0}, "bulk_max_batch_size must be at least 1, not 0"),
        ({"bulk_max_batch_bytes": 0}, "bulk_max_batch_bytes must be at least 1, not 0"),
        ({"route_tenants_on_lazy_mode": "acme"}, "must be a list"),
    ],
)
def test_wrong_options_are_refused_by_name(options, told):
    """A text among them, whose letters would be taken for tenants."""
    with pytest.raises(ConfigurationError, match=told):
        EventPublisher(RecordingPublisher(), **options)


@given(
    tenants=st.lists(st.sampled_from(["a", 'b"é', "c\\"]), max_size=30),
    size=st.integers(1, 5),
    limit=st.integers(1, 1500),
)
def test_every_event_is_in_one_group_within_the_limits(tenants, size, limit):
    """Once, in order per tenant; a payload is longer than the limit only where one event is."""
    events = [event(str(number), tenant) for number, tenant in enumerate(tenants)]
    messages = bulk(*events, bulk_max_batch_size=size, bulk_max_batch_bytes=limit)
    by_tenant = {}
    for message in messages:
        found = ids(message)
        assert int(message.metadata["batch_size"]) == len(found) <= size
        assert len(message.payload) <= limit or len(found) == 1
        by_tenant.setdefault(message.metadata["tenant_id"], []).extend(found)

    assert by_tenant == {
        tenant: [each.id for each in events if each.tenant_id == tenant] for tenant in dict.fromkeys(tenants)
    }
