"""Static members that come back: `millstream run --instance` on real Kafka and real ClickHouse, with both protocols."""

import signal

import pytest

pytestmark = pytest.mark.slow

REFUSED = "the group has a member of this instance id already"


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_member_that_was_killed_comes_back_and_goes_on(place, protocol):
    """With the new protocol the brokers refuse it while its old self has a session: it waits, says so once, and does not end."""
    place.write(kafka={"group_protocol": protocol})
    with place.service("--instance", "pod-0") as first:
        first.wait_for("partitions assigned")
        first.send(signal.SIGKILL)
    with place.service("--instance", "pod-0") as again:
        ids = place.publish_events(300)
        place.wait_committed(300)
        code = again.end()

    assert code == 0, again.lines
    assert set(place.ids()) == set(ids)
    assert len(again.said(REFUSED)) == (1 if protocol == "consumer" else 0), again.lines
    assert not again.said("FATAL")


def test_a_second_process_of_the_same_name_waits_for_the_first(place):
    """The first goes on undisturbed; when it has left, the second is taken in. A signal ends one that waits in order."""
    place.write(kafka={"group_protocol": "consumer"})
    with place.service("--instance", "pod-0") as first:
        first.wait_for("partitions assigned")
        with place.service("--instance", "pod-0") as in_vain:
            in_vain.wait_for(REFUSED)
            codes = [in_vain.end()]
        with place.service("--instance", "pod-0") as second:
            (line,) = second.wait_for(REFUSED)
            before = place.publish_events(300)
            place.wait_committed(300)
            was_in = second.said("partitions assigned")
            codes.append(first.end())
            after = place.publish_events(300, "later")
            place.wait_committed(600)
            codes.append(second.end())

    assert "instance=pod-0-" in line
    assert not was_in
    assert codes == [0, 0, 0], second.lines
    assert set(place.ids()) == {*before, *after}
