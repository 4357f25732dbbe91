"""The broker that a test drives: what it delivers, and how long it is waited for."""

from millstream.router import Message
from millstream.router.clock import MONOTONIC
from millstream.router.testing import FakeSubscriber


def test_what_is_delivered_has_key_metadata_and_uuid():
    """Each message has metadata of its own, as those of a broker have."""
    given = {"tenant_id": "acme"}
    subscription = FakeSubscriber().subscribe("t")

    first, second = subscription.deliver(b"1", b"2", key=b"k", metadata=given, uuid="u-1")
    first.metadata["seen"] = "yes"
    given["later"] = "yes"

    assert [first.payload, second.payload] == [b"1", b"2"]
    assert (first.key, first.uuid, second.uuid) == (b"k", "u-1", "u-1")
    assert second.metadata == {"tenant_id": "acme"}


def test_what_comes_again_is_as_it_was_delivered():
    """Whatever a middleware has made of it: with its uuid, also one that nobody chose, and the first metadata."""
    subscription = FakeSubscriber().subscribe("t")
    first, other = subscription.deliver(b"1", b"2", metadata={"tenant_id": "acme"})
    uuid = first.uuid
    first.payload, first.metadata["tenant_id"] = b"changed", "globex"
    subscription.lose(0)

    subscription.assign(0)
    again = subscription.messages[2]

    assert again == Message(b"1", uuid=uuid, metadata={"tenant_id": "acme"})
    assert uuid != other.uuid


def test_waiting_for_a_commit_ends_with_the_subscription():
    """A router that has stopped commits nothing more; what it had committed counts."""
    subscription = FakeSubscriber().subscribe("t")
    subscription.deliver(b"1", b"2")[0].ack()
    subscription.close()
    began = MONOTONIC.now()

    assert subscription.wait_committed(1)
    assert not subscription.wait_committed(2, timeout=60.0)
    assert MONOTONIC.now() - began < 60.0
