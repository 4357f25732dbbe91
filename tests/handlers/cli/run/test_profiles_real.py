"""`millstream run` as users whose profiles, and into tables whose settings, would lose or repeat rows."""

import contextlib

import pytest

from tests.handlers.cli.command_aids import run

EVENTS = 3_000
BAD = b'{"id":"bad'


def use(place, clickhouse, user):
    """Let the service log in as *user* of our own server."""
    place.write(clickhouse={"dsn": clickhouse.address(user, place.database)}, batch={"batch_size": 500})


@pytest.fixture
def own_place(breakable_place):
    """A place on the server that has such users."""
    return breakable_place


@pytest.mark.parametrize("user", ["hostile", "locked_right"])
def test_a_profile_changes_nothing(own_place, user):
    """Asynchronous, unconfirmed, without deduplication, in tiny blocks, skipping errors: stored once all the same."""
    use(own_place, own_place.clickhouse, user)
    ids = own_place.publish_events(EVENTS)
    own_place.publish(BAD)
    with own_place.service("--once") as service:
        code = service.wait()

    assert code == 3, service.lines
    assert own_place.ids() == sorted(ids)


def test_a_profile_that_cannot_be_overruled_ends_the_start(own_place):
    """Exit code 4 and one line that names the setting, before anything is consumed."""
    use(own_place, own_place.clickhouse, "locked")
    own_place.publish_events(1)
    done = run("run", cwd=own_place.folder)

    assert done.returncode == 4, done.stderr
    assert "async_insert is 1, must be 0" in only_line(done)
    assert own_place.committed() == 0


def test_a_table_with_asynchronous_inserts_of_its_own_ends_the_start(own_place):
    """Its setting wins over what an INSERT says; the line says what to run."""
    use(own_place, own_place.clickhouse, "default")
    table = f"`{own_place.database}`.`{own_place.table}`"
    with contextlib.closing(own_place.clickhouse.open()) as store:
        store.command(f"ALTER TABLE {table} MODIFY SETTING async_insert = 1")
    done = run("run", cwd=own_place.folder)

    assert done.returncode == 4, done.stderr
    assert f"ALTER TABLE {table} MODIFY SETTING async_insert = 0" in only_line(done)


def only_line(done):
    """Return the one line that a command ends with."""
    (line,) = [line for line in done.stderr.decode().splitlines() if line.startswith("millstream:")]
    return line
