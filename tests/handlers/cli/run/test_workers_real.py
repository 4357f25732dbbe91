"""`millstream run --workers`: several processes as one, on real Kafka and real ClickHouse."""

import os
import re
import signal

import pytest

from millstream.router.testing import eventually
from tests.handlers.cli.command_aids import run

pytestmark = pytest.mark.slow

TIMEOUT = 60.0
PATIENT = {"flush_interval": 60.0}
"""What is not full waits for the end."""


def pids(service, count=3):
    """Return the process of each worker, once so many were started; the last start of a number counts."""
    lines = service.wait_for("worker started", count)
    return {int(number): int(pid) for line in lines for number, pid in re.findall(r"worker=(\d+) pid=(\d+)", line)}


def wait_ended(*processes):
    """Wait until none of *processes* is there any more."""
    return eventually(lambda: not any(map(is_there, processes)), TIMEOUT)


def is_there(pid):
    """Tell whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def has_partitions(service, *numbers):
    """Tell whether each of the workers has said that it was given partitions."""
    lines = service.said("partitions assigned")
    return all(any(f"worker={number}" in line for line in lines) for number in numbers)


def test_workers_share_the_partitions_and_end_together(place):
    """Each is a member of its own, and each line of theirs says whose it is; the end by a signal is clean."""
    place.write()
    ids = place.publish_events(3000)
    with place.service("--workers", 3) as service:
        children = pids(service)
        assert eventually(lambda: has_partitions(service, 1, 2, 3), TIMEOUT), service.lines
        place.wait_committed(3000)
        code = service.end()

    assert code == 0, service.lines
    assert sorted(children) == [1, 2, 3]
    assert set(place.ids()) == set(ids)
    assert wait_ended(*children.values())


def test_a_worker_that_is_killed_is_back_with_its_partitions(place):
    """What it had in hand comes again; the others keep theirs, and go on."""
    place.write()
    with place.service("--workers", 3) as service:
        children = pids(service)
        assert eventually(lambda: has_partitions(service, 1, 2, 3), TIMEOUT), service.lines
        os.kill(children[2], signal.SIGKILL)
        again = pids(service, 4)
        ids = place.publish_events(3000)
        place.wait_committed(3000)
        code = service.end()

    assert code == 0, service.lines
    assert again[2] != children[2]
    assert (again[1], again[3]) == (children[1], children[3])
    assert set(place.ids()) == set(ids)


def test_every_signal_to_the_whole_service_is_one_signal(place):
    """As service managers send it, to each process: nothing ends at once, and what is in hand is stored."""
    place.write(batch=PATIENT, kafka={"session_timeout": 6.0})
    with place.service("--workers", 2) as service:
        children = pids(service, 2)
        assert eventually(lambda: has_partitions(service, 1, 2), TIMEOUT), service.lines
        ids = place.publish_events(100)
        for pid in children.values():
            os.kill(pid, signal.SIGTERM)
        code = service.end()

    assert code == 0, service.lines
    assert wait_ended(*children.values())
    with place.service("--once") as rest:
        assert rest.wait() == 0
    assert place.ids() == sorted(ids)


def test_the_second_signal_ends_all_at_once(breakable_place):
    """While the store hangs the first is waited for; nothing is committed that was not stored."""
    place = breakable_place
    place.write(batch=PATIENT, router={"close_timeout": 60.0})
    with place.service("--workers", 2) as service:
        children = pids(service, 2)
        assert eventually(lambda: has_partitions(service, 1, 2), TIMEOUT), service.lines
        place.publish_events(1000)
        place.clickhouse.freeze()
        service.send(signal.SIGTERM)
        service.wait_for("closing on a signal", 2)
        service.send(signal.SIGTERM)
        code = service.wait()

    assert code == 128 + signal.SIGTERM, service.lines
    assert wait_ended(*children.values())


def test_workers_end_in_order_when_their_parent_is_killed(place):
    """Nobody would start them again or tell them to end; what they have in hand is stored and committed."""
    place.write()
    with place.service("--workers", 2) as service:
        children = pids(service, 2)
        assert eventually(lambda: has_partitions(service, 1, 2), TIMEOUT), service.lines
        service.send(signal.SIGKILL)
        assert wait_ended(*children.values())

    assert len(service.said("the parent process has gone: closing")) == 2


def test_once_ends_when_the_group_has_consumed_what_was_there(place):
    """Every worker by itself; what cannot be stored is in the poison topic, and the exit code says so."""
    place.write(batch=PATIENT)
    ids = place.publish_events(500)
    place.publish(b"no event")
    with place.service("--once", "--workers", 2) as service:
        code = service.wait()

    assert code == 3, service.lines
    assert place.ids() == sorted(ids)


def test_a_setting_that_only_the_broker_refuses_ends_all(place):
    """Starting again would not mend it: one worker says what is wrong, the exit code is that of a wrong setting."""
    place.write(event_processing={"topic": "nobody-made-this"})
    with place.service("--workers", 2) as service:
        code = service.wait()

    assert code == 2, service.lines
    assert service.said("'nobody-made-this' does not exist")
    assert service.said("cannot go on, it ended with code 2: ending the others")


def test_an_embedded_store_takes_no_second_process(tmp_path):
    """One line, before anything is started."""
    done = run("run", "--workers", "2", "--brokers", "127.0.0.1:1", "--store", "chdb:///tmp/nowhere", cwd=tmp_path)

    (line,) = done.stderr.decode().splitlines()
    assert done.returncode == 2
    assert line.startswith("millstream: --workers 2 needs a ClickHouse server")
    assert "clickhouse.dsn" in line
