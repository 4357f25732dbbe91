"""What becomes of a batch of events when its INSERT fails, on a real ClickHouse: each fault ends as its class says.

What a real server cannot be asked to do, a door before it does.
"""

import contextlib
import re

import pytest

from millstream.handlers.batching import BatchConfig
from millstream.handlers.events import EventConsumptionService, EventRepository, create_events_table
from millstream.handlers.store import StoreMisconfigured, open_store
from millstream.router import ExitCode, HaltedError
from millstream.router.testing import eventually
from scripts.clickhouse_server.faults import FAULTS, RESET_AFTER, End
from tests.handlers.events.event_payloads import make_payload
from tests.handlers.events.service_aids import FAST, consuming, payloads, publish

EVENTS = 20
DEADLINE, SHORT_DEADLINE = 30.0, 3.0
"""Seconds for an INSERT; the short one where one hangs."""
HALT_AFTER = 0.2
SECONDS = 60.0

AGAIN = ["reset-before", "reset-after", "hang-before", "hang-after", "429", "503", "502", "504", "504-after"]
AGAIN += ["252-parts", "241-server", "243", "243-after", "slow"]
SPLIT = ["252-partitions", "241-query", "413"]


@pytest.fixture
def database(own_clickhouse):
    """A database with an empty table of events, in which a repeated row is there twice however long one looks."""
    name = own_clickhouse.create_database()
    with contextlib.closing(own_clickhouse.open()) as store:
        for statement in create_events_table(name, "events"):
            store.command(re.sub(r"ReplacingMergeTree\([^)]*\)", "MergeTree", statement))
    yield name
    own_clickhouse.drop_database(name)


@contextlib.contextmanager
def serving(address, database, size=EVENTS, deadline=DEADLINE):
    """Consume events into the store at *address* in batches of *size*; yields service, broker, router and handler."""
    with contextlib.closing(open_store(address, insert_deadline=deadline)) as store:
        repository = EventRepository(store, database=database)
        repository.prepare(create=False)
        config = BatchConfig(**FAST, batch_size=size, flush_interval=60.0, halt_after=HALT_AFTER)
        service = EventConsumptionService(repository, batch_config=config)
        with consuming(service) as (broker, router, handler):
            yield service, broker, router, handler


def ask(server, statement):
    """Return the rows of a statement of the owner's."""
    with contextlib.closing(server.open()) as store:
        return store.query(statement, read_only=False).rows


def stored(server, database):
    """Return how many rows the table has, and how many different ids."""
    return ask(server, f"SELECT count(), uniqExact(id) FROM {database}.events")[0]


def consume(address, database, contents, **options):
    """Consume *contents* as one batch; returns how many were poisoned, once all are settled."""
    with serving(address, database, len(contents), **options) as (_, broker, _, handler):
        publish(broker, contents)
        assert eventually(lambda: broker.backlog("events") == (0, 0), SECONDS)
        return handler.poisoned


@pytest.mark.parametrize("fault", [pytest.param(FAULTS[name], id=name) for name in AGAIN])
def test_the_same_bytes_go_again_under_the_same_token_and_are_stored_once(
    own_clickhouse, faulty_clickhouse, database, fault
):
    """Whether the store has the rows already or not: its window knows the token."""
    faulty_clickhouse.fail_next(fault)
    deadline = SHORT_DEADLINE if fault.end is End.HANG else DEADLINE
    poisoned = consume(faulty_clickhouse.address(), database, payloads(EVENTS), deadline=deadline)

    assert poisoned == 0
    assert len(faulty_clickhouse.tokens) == (1 if fault.delay else 2)
    assert len(set(faulty_clickhouse.tokens)) == 1
    assert stored(own_clickhouse, database) == (EVENTS, EVENTS)


@pytest.mark.parametrize("fault", [pytest.param(FAULTS[name], id=name) for name in SPLIT])
def test_what_is_too_much_at_once_is_split_and_stored_once(own_clickhouse, faulty_clickhouse, database, fault):
    """Each half has a token of its own: another set of rows under the first one would be dropped."""
    faulty_clickhouse.fail_next(fault)
    poisoned = consume(faulty_clickhouse.address(), database, payloads(EVENTS))

    assert poisoned == 0
    assert len(faulty_clickhouse.tokens) == len(set(faulty_clickhouse.tokens)) == 3
    assert stored(own_clickhouse, database) == (EVENTS, EVENTS)


def test_a_lost_answer_to_every_attempt_but_the_last_stores_once(own_clickhouse, faulty_clickhouse, database):
    """However often: the token is kept as long as nobody knows."""
    faulty_clickhouse.fail_next(*[RESET_AFTER] * 5)
    consume(faulty_clickhouse.address(), database, payloads(EVENTS))

    assert (len(faulty_clickhouse.tokens), len(set(faulty_clickhouse.tokens))) == (6, 1)
    assert stored(own_clickhouse, database) == (EVENTS, EVENTS)


def test_a_table_with_too_many_parts_is_waited_for(own_clickhouse, database):
    """Its own merges end that; until then nothing is split, as that would be more parts still."""
    table = f"{database}.events"
    ask(own_clickhouse, f"SYSTEM STOP MERGES {table}")
    ask(own_clickhouse, f"ALTER TABLE {table} MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1")
    with serving(own_clickhouse.address(), database) as (service, broker, _, handler):
        publish(broker, payloads(2 * EVENTS)[:EVENTS])
        assert eventually(lambda: service.stats.events == EVENTS, SECONDS)
        publish(broker, payloads(2 * EVENTS)[EVENTS:])
        assert eventually(lambda: "Too many parts" in service.outage.reason, SECONDS)
        ask(own_clickhouse, f"ALTER TABLE {table} RESET SETTING parts_to_throw_insert, parts_to_delay_insert")
        assert eventually(lambda: broker.backlog("events") == (0, 0), SECONDS)

    assert handler.poisoned == 0
    assert stored(own_clickhouse, database) == (2 * EVENTS, 2 * EVENTS)


@pytest.mark.parametrize(("user", "length"), [("few_partitions", 1), ("little_memory", 70_000)])
def test_a_limit_of_the_user_splits_a_batch(own_clickhouse, database, user, length):
    """More days, or more memory, than one INSERT of this user may have: parts that fit are stored."""
    contents = [
        make_payload(id=f"e-{n}", timestamp=f"2026-0{n % 9 + 1}-01T00:00:00Z", properties={"x": "y" * length})
        for n in range(4 * 7)
    ]
    with serving(own_clickhouse.address(user), database, len(contents)) as (service, broker, _, handler):
        publish(broker, contents)
        assert eventually(lambda: broker.backlog("events") == (0, 0), SECONDS)

    assert handler.poisoned == 0
    assert service.stats.inserts >= 3
    assert stored(own_clickhouse, database) == (len(contents), len(contents))


TO_MEND = {
    "missing table": ("default", "RENAME TABLE {database}.events TO {database}.elsewhere"),
    "missing column": ("default", "ALTER TABLE {database}.events RENAME COLUMN source TO another"),
    "no right to insert": ("reader", "SELECT 1"),
}
"""Who inserts, and what somebody does while the service runs."""


@pytest.mark.parametrize("fault", TO_MEND)
def test_what_somebody_has_to_mend_halts_after_a_while_and_blames_no_message(own_clickhouse, database, fault):
    """Exit code 4, and nothing poisoned."""
    user, statement = TO_MEND[fault]
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.suppress(HaltedError))  # the close tells it again
        _, broker, router, handler = stack.enter_context(serving(own_clickhouse.address(user), database))
        ask(own_clickhouse, statement.format(database=database))
        publish(broker, payloads(EVENTS))
        with pytest.raises(HaltedError) as halted:
            router.wait_closed(SECONDS)

    assert ExitCode.of(halted.value) is ExitCode.HALTED
    assert handler.poisoned == 0


def test_a_password_that_was_changed_halts_after_a_while(faulty_clickhouse, database):
    """The same: no message is to blame."""
    faulty_clickhouse.fail_next(*[FAULTS["516"]] * 10_000)
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.suppress(HaltedError))  # the close tells it again
        _, broker, router, handler = stack.enter_context(serving(faulty_clickhouse.address(), database))
        publish(broker, payloads(EVENTS))
        with pytest.raises(HaltedError, match="Authentication failed"):
            router.wait_closed(SECONDS)

    assert handler.poisoned == 0


@pytest.mark.parametrize(("user", "told"), [("nobody:wrong", "refuses"), ("read_only", "async_insert")])
def test_a_login_that_cannot_insert_ends_the_start(own_clickhouse, database, user, told):
    """A wrong password, or a user who may set nothing: one line, before anything is consumed."""
    with pytest.raises(StoreMisconfigured, match=told) as refused:
        EventRepository.open(own_clickhouse.address(user), database=database)

    assert "\n" not in str(refused.value)
    assert "wrong" not in str(refused.value)
