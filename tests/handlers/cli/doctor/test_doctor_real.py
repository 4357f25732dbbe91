"""`millstream doctor` on real servers: each fault is found, in one line, with the right exit code; nothing is changed."""

import contextlib
from urllib.parse import urlsplit

import pytest
from confluent_kafka import Consumer, TopicPartition

from millstream.handlers.cli.dlq.options import GROUP
from millstream.handlers.cli.doctor import kafka_checks, opening
from millstream.handlers.cli.doctor.table import TableChecks
from millstream.handlers.settings.sections import ClickHouseConfig
from millstream.router import MONOTONIC, KafkaPublisher, KafkaPublisherConfig, Message
from tests.handlers.cli.command_aids import write_events
from tests.handlers.cli.main_in_process import run_main
from tests.router.kafka.real_kafka import PASSWORD, USER, wait_until

pytestmark = pytest.mark.slow  # a real broker, and a real server


def bad_lines(lines):
    """Return the lines that say that something is wrong."""
    return [line for line in lines if not line.startswith(("ok", "skip"))]


def user(name):
    """Return what makes the store's address one of the user *name*."""

    def change(place, _):
        parts = urlsplit(place.dsn)
        place.dsn = f"{parts.scheme}://{name}@{parts.hostname}:{parts.port}{parts.path}"

    return change


def setting(**fields):
    """Return what gives a place other *fields*."""

    def change(place, _):
        for name, value in fields.items():
            setattr(place, name, value)

    return change


def statement(text):
    """Return what runs a statement on the table."""
    return lambda place, admin: admin.command(f"{text.format(table=f'{place.database}.events')}")


MISSING_TOPIC = "FAIL topic none-of-ours (event_processing.{}): there is no such topic: create it with: millstream "
NO_INSERT = "FAIL rights: without it nothing is stored: have it granted: GRANT INSERT(id, external_customer_id, "
NO_WINDOW = "ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 0"
LOCKED = (
    "FAIL settings of an INSERT: the store's user may not set what an INSERT must carry: async_insert is 1, must be 0"
)
UNSAFE = "has async_insert = 1, which wins over what an INSERT says: run ALTER TABLE"
FAULTS = {
    "broker down": (setting(brokers="127.0.0.1:1"), 2, "FAIL brokers 127.0.0.1:1: no broker can be reached: "),
    "topic missing": (setting(topic="none-of-ours"), 2, MISSING_TOPIC.format("topic")),
    "DLQ missing": (setting(dlq="none-of-ours"), 2, MISSING_TOPIC.format("topic_dlq")),
    "store down": (setting(dsn="http://127.0.0.1:1/"), 2, "FAIL store http://127.0.0.1:1/: cannot reach "),
    "wrong password": (user("default:hush-hush"), 2, "FAIL store http://default:***@"),
    "missing table": (statement("DROP TABLE {table} SYNC"), 2, "create it with: millstream migrate"),
    "missing column": (
        statement("ALTER TABLE {table} DROP INDEX set_source, DROP COLUMN source"),
        2,
        "has no column `source`: ALTER TABLE ",
    ),
    "no right to insert": (user("reader"), 2, NO_INSERT),
    "window 0": (statement(NO_WINDOW), 0, "warn deduplication window: none: "),
    "asynchronous table": (statement("ALTER TABLE {table} MODIFY SETTING async_insert = 1"), 2, UNSAFE),
    "hostile profile": (user("hostile"), 0, "warn profile: sets async_insert = "),
    "hostile profile that is locked": (user("locked"), 2, LOCKED),
}


@pytest.mark.parametrize(("break_it", "code", "text"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_one_line_and_an_exit_code(place, admin, capsys, break_it, code, text):
    """And no password is shown."""
    break_it(place, admin)
    ended, lines = place.doctor(capsys)
    [bad] = bad_lines(lines)

    assert (ended, text in bad) == (code, True), lines
    assert "hush-hush" not in "".join(lines)


def test_where_all_is_well_nothing_else_is_said(place, capsys):
    """Every line begins with ok, and the store's follow those of Kafka."""
    code, lines = place.doctor(capsys)

    assert (code, [line for line in lines if not line.startswith("ok")]) == (0, [])
    assert [line.split()[1].rstrip(":") for line in lines] == [
        *("versions", "brokers", "topic", "topic", "set", "group", "lag"),
        *("store", "engine", "clock", "table", "deduplication", "rights", "settings"),
    ]


def test_who_may_only_insert_lacks_what_a_start_looks_at(place, capsys):
    """Two rights are missing: one that keeps a service from starting, and one that people want."""
    user("writer")(place, None)
    code, lines = place.doctor(capsys)

    assert code == 2
    assert [line[:4] for line in bad_lines(lines)] == ["FAIL", "warn"]
    assert "GRANT SELECT ON system.merge_tree_settings" in bad_lines(lines)[0]


def test_a_server_that_is_too_old_is_found(place, capsys, faulty_clickhouse, admin):
    """By a door that answers with another version."""
    version = admin.query("SELECT version()").rows[0][0]
    faulty_clickhouse.replaced = (version.encode(), f"20{version[2:]}".encode())
    place.dsn = faulty_clickhouse.address(database=place.database)
    code, lines = place.doctor(capsys)

    assert (code, [line[:23] for line in bad_lines(lines)]) == (2, ["FAIL engine: ClickHouse"])
    assert f"ClickHouse 20{version[2:]} is too old" in bad_lines(lines)[0]


def test_a_proxy_that_drops_settings_is_found(place, capsys, faulty_clickhouse):
    """An INSERT through it would be asynchronous, whatever it says."""
    faulty_clickhouse.dropped.add("async_insert")
    place.dsn = faulty_clickhouse.address(database=place.database)
    code, lines = place.doctor(capsys)

    assert (code, len(bad_lines(lines))) == (2, 1)
    assert (
        "FAIL settings of an INSERT: sent, but not in force: async_insert is 1, not 0: does a proxy"
        in bad_lines(lines)[0]
    )


def test_servers_that_do_not_answer_are_given_up(place, capsys, own_kafka, breakable_clickhouse, monkeypatch):
    """Connections are taken and nothing comes: each side is left after one answer that did not come."""
    for module in (kafka_checks, opening):
        monkeypatch.setattr(module, "ANSWER_SECONDS", 1.0)
    place.brokers = own_kafka.bootstrap_servers
    own_kafka.freeze()
    breakable_clickhouse.freeze()
    began = MONOTONIC.now()
    code, lines = place.doctor(capsys)
    took = MONOTONIC.now() - began
    own_kafka.thaw()
    breakable_clickhouse.thaw()  # before its database is dropped

    assert code == 2
    assert [line.split()[:2] for line in lines[1:]] == [
        ["FAIL", "brokers"],
        ["skip", "topics,"],
        ["FAIL", "store"],
        ["skip", "engine,"],
    ]
    assert took < 30


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_a_live_group_that_refuses_us_is_found(place, capsys, strategy):
    """We come with cooperative-sticky: a group of that is fine, one of range is not."""
    place.kafka = 'assignment_strategy = "cooperative-sticky"'
    member = {"bootstrap.servers": place.brokers, "group.id": place.group, "partition.assignment.strategy": strategy}
    with contextlib.closing(Consumer(member)) as other:
        other.subscribe([place.topic])
        wait_until(lambda: other.poll(0.1) or other.assignment(), "the assignment")
        code, lines = place.doctor(capsys)

    if strategy == "range":
        assert (code, len(bad_lines(lines))) == (2, 1)
        assert "1 member with classic, range, ours come with classic, cooperative-sticky: " in bad_lines(lines)[0]
    else:
        assert (code, bad_lines(lines)) == (0, [])
        assert "1 member with classic, cooperative-sticky, as ours" in "".join(lines)


@pytest.mark.parametrize(("password", "code"), [("wrong-one", 2), (PASSWORD, 0)])
def test_a_wrong_password_for_the_brokers_is_found(place, own_kafka, capsys, password, code):
    """And the store is looked at all the same."""
    place.brokers = own_kafka.addresses["SASL_PLAINTEXT"]
    place.kafka = f'use_sasl = true\nsasl_user = "{USER}"\nsasl_password = "{password}"'
    ended, lines = place.doctor(capsys)

    assert (ended, len(bad_lines(lines))) == (code, 1 if code else 0), lines
    assert "wrong-one" not in "".join(lines)
    assert "ok   rights" in "\n".join(lines)


def test_what_waits_while_nobody_consumes_is_a_warning(place, capsys, real_kafka):
    """With how much that is."""
    write_events(place.folder / "in.ndjson", 3)
    run_main("publish", "in.ndjson", "--topic", place.topic, "--brokers", place.brokers, folder=place.folder)
    code, lines = place.doctor(capsys)

    assert code == 0
    text = "3 messages behind, and nothing is committed yet, and nobody consumes: start millstream run"
    assert bad_lines(lines) == [f"warn lag of event_processing: {text}"]


def test_records_that_no_replay_has_sent_back_are_a_warning(place, capsys):
    """With how many there are, and the commands to look at them: nothing else of a service shows them."""
    with contextlib.closing(KafkaPublisher(KafkaPublisherConfig(brokers=[place.brokers]))) as publisher:
        publisher.publish(place.dlq, *[Message(b"x") for _ in range(3)])
    with contextlib.closing(Consumer({"bootstrap.servers": place.brokers, "group.id": GROUP})) as replay:
        replay.commit(offsets=[TopicPartition(place.dlq, 0, 1)], asynchronous=False)
        code, lines = place.doctor(capsys)
        write_events(place.folder / "in.ndjson", 1)
        run_main("publish", "in.ndjson", "--topic", place.topic, "--brokers", place.brokers, folder=place.folder)
        _, halted = place.doctor(capsys)
        replay.commit(offsets=[TopicPartition(place.dlq, 0, 3)], asynchronous=False)
        _, then = place.doctor(capsys)

    text = "millstream dlq list says why; once that is mended, millstream dlq replay sends them back"
    assert (code, bad_lines(lines)) == (0, [f"warn set aside in {place.dlq}: 2 records wait: {text}"])
    assert "mend first what is set aside, then start millstream run" in "".join(bad_lines(halted))
    assert f"ok   set aside in {place.dlq}: nothing waits" in then


def test_what_waits_is_not_told_where_nobody_can_know(place, capsys):
    """What a replay has noted is of another topic of the name: that is said, and is no fault of a service."""
    with contextlib.closing(Consumer({"bootstrap.servers": place.brokers, "group.id": GROUP})) as replay:
        replay.commit(offsets=[TopicPartition(place.dlq, 0, 5)], asynchronous=False)
    code, lines = place.doctor(capsys)
    [skipped] = [line for line in lines if line.startswith("skip")]

    assert (code, bad_lines(lines)) == (0, [])
    assert skipped.startswith(f"skip set aside in {place.dlq}: not looked at: ")


def test_the_new_protocol_is_found_where_the_brokers_have_it(place, capsys):
    """No word of it, and the group is what it would be."""
    place.kafka = 'group_protocol = "consumer"'
    code, lines = place.doctor(capsys)

    assert (code, bad_lines(lines)) == (0, [])
    assert "no members; ours come with consumer" in "".join(lines)


def test_nothing_is_changed(place, capsys, real_kafka, admin):
    """Neither topics, groups and offsets, nor tables, rows and INSERTs; a second look sees what the first saw."""

    def state():
        groups = real_kafka.admin.list_consumer_groups().result(10).valid
        tables = admin.query(
            "SELECT database, name, total_rows FROM system.tables WHERE database != 'system' ORDER BY ALL"
        )
        return (
            sorted(real_kafka.admin.list_topics(timeout=10).topics),
            sorted(each.group_id for each in groups),
            real_kafka.end_offsets(place.topic),
            tables.rows,
            admin.insert_count(),
            sorted(each.name for each in place.folder.iterdir()),
        )

    first = place.doctor(capsys)
    before = state()
    second = place.doctor(capsys)

    assert state() == before
    assert first == second


def test_views_of_the_table_are_seen(place, admin):
    """Whether a fault of views concerns us hangs on it."""
    config = ClickHouseConfig(dsn=place.dsn)
    had = TableChecks(admin, config).has_views()
    name = f"{place.database}.events"
    admin.command(f"CREATE MATERIALIZED VIEW {name}_view ENGINE = Memory AS SELECT count() AS n FROM {name}")

    assert not had
    assert TableChecks(admin, config).has_views()
