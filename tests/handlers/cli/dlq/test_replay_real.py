"""`millstream dlq replay` on a real Apache Kafka, with what it sends stored in a real ClickHouse."""

import contextlib
import json
import os
import re
import signal
import subprocess
from collections import Counter

import pytest

from millstream.router import KafkaSubscriberConfig, Message
from millstream.router.kafka.lag import GroupLag
from millstream.router.kafka.reading import read_topic
from millstream.router.poison.record import cut
from millstream.router.testing import eventually
from millstream.router.worker_thread import WorkerThread
from tests.handlers.cli.command_aids import command, environment
from tests.handlers.cli.dlq.poison_aids import MISSING, REFUSED, poison, poisoned, send
from tests.handlers.cli.main_in_process import run_main
from tests.handlers.cli.run.conftest import make_place
from tests.handlers.events.event_payloads import make_payload
from tests.router.kafka.real_kafka import unique

pytestmark = pytest.mark.slow

COUNT = 10_000


@pytest.fixture
def place(tmp_path, real_kafka, real_clickhouse):
    """A lane of its own, with an empty table, and two topics more whose messages are set aside in the same poison topic."""
    with make_place(tmp_path, real_kafka, real_clickhouse) as made:
        made.dlq = real_kafka.create_topic(2, prefix="dlq")
        made.sections["event_processing"]["topic_dlq"] = made.dlq
        made.topics = [made.topic, real_kafka.create_topic(1), real_kafka.create_topic(2)]
        made.replay_group = unique("replay")
        made.write()
        yield made


def replay(place, *arguments):
    """Run the command in this process."""
    return run_main("dlq", "replay", "--group", place.replay_group, *arguments, folder=place.folder)


def ids_in(place, topic):
    """Return how often each id is in *topic*, seen as a consumer of committed records sees it."""
    config = KafkaSubscriberConfig(brokers=[place.kafka.bootstrap_servers], group_id="looking")
    with contextlib.closing(GroupLag(config, topic)) as lag:
        ends = lag.ends()
    return Counter(message.uuid for chunk in read_topic(config, topic, ends.first, ends.end) for message in chunk)


def expected(ids, topic, errors=(MISSING, REFUSED)):
    """Return the ids of what came from *topic* for one of *errors*, each once."""
    return Counter(each for each, (origin, error) in ids.items() if origin == topic and error in errors)


def test_everything_goes_back_to_its_own_topic_once_and_is_stored(place, capsys):
    """Of three topics, each of them; a dry run sends nothing, and a second replay neither."""
    ids = poison(place.kafka, place.dlq, place.topics, COUNT)
    dry = replay(place, "--dry-run")
    before = [sum(place.kafka.end_offsets(topic).values()) for topic in place.topics]
    code = replay(place)
    told = capsys.readouterr().out
    again = replay(place)
    out = capsys.readouterr().out
    ended = run_main("run", "--once", folder=place.folder)

    assert (dry, before, code, again, ended) == (0, [0, 0, 0], 0, 0, 0)
    assert [ids_in(place, topic) for topic in place.topics] == [expected(ids, topic) for topic in place.topics]
    assert f"{place.dlq} to {place.topic}: 3,334 would be sent\n" in told
    assert f"{place.dlq} to {place.topic}: 3,334 sent\n" in told
    assert out == "nothing to send\n"
    assert place.ids() == sorted(expected(ids, place.topic))


@pytest.mark.parametrize("count", [2000, pytest.param(COUNT, marks=pytest.mark.soak)])
def test_a_replay_that_is_killed_and_run_again_loses_and_doubles_nothing(place, count):
    """With a filter, which leaves what it passes over to the next one: no record comes twice, not even before a merge."""
    ids = poison(place.kafka, place.dlq, place.topics, count, errors=(MISSING, REFUSED))
    line = command("dlq", "replay", "--group", place.replay_group, "--reason", "refused", "--rate", f"{count / 2:g}")
    process = subprocess.Popen(line, cwd=place.folder, env=environment())
    # A third of what is sent goes there, in chunks of a twentieth of it all: the first of them is committed by then.
    assert eventually(lambda: sum(place.kafka.end_offsets(place.topic).values()) > count / 20, 60.0)
    process.send_signal(signal.SIGKILL)
    process.wait(60.0)
    halfway = sum(ids_in(place, place.topic).values())
    assert replay(place, "--reason", "refused") == 0
    filtered = [ids_in(place, topic) for topic in place.topics]
    assert replay(place) == 0

    assert 0 < halfway < len(expected(ids, place.topic, [REFUSED])), "it was not killed half-way"
    assert filtered == [expected(ids, topic, [REFUSED]) for topic in place.topics]
    assert [ids_in(place, topic) for topic in place.topics] == [expected(ids, topic) for topic in place.topics]
    if count == COUNT:
        assert run_main("run", "--once", folder=place.folder) == 0
        assert place.ids() == sorted(expected(ids, place.topic))


def test_a_signal_ends_a_replay_in_order_and_the_next_one_goes_on(place, capsys):
    """What is on its way is confirmed, and the exit code says that there is more."""
    ids = poison(place.kafka, place.dlq, place.topics[:1], 30)

    def press() -> None:
        if eventually(lambda: sum(place.kafka.end_offsets(place.topic).values()) > 0, 60.0):
            os.kill(os.getpid(), signal.SIGINT)

    WorkerThread("ctrl-c", press).start()
    code = replay(place, "--rate", "20")
    err = capsys.readouterr().err
    again = replay(place)

    assert (code, again) == (5, 0), err
    assert "the rest not: interrupted; run the same command again" in err
    assert ids_in(place, place.topic) == expected(ids, place.topic)


def command_line(place, *arguments):
    """Run a command of `dlq` in this process, on the poison topic of the place."""
    group = ("--group", place.replay_group)
    return run_main("dlq", *arguments, *group, folder=place.folder)


def test_what_is_left_says_why_and_where_and_the_exit_code_does(place, capsys):
    """What was cut, what says no topic, what went back too often, and what its topic does not take."""
    small = place.kafka.create_topic(config={"max.message.bytes": "2000"})
    large = poisoned("large", small, REFUSED)
    large.payload = b"x" * 3000
    send(
        place.kafka,
        place.dlq,
        cut(poisoned("cut", place.topic)),
        Message(b"foreign", uuid="foreign", metadata={"reason_poisoned": str(MISSING)}),
        poisoned("often", place.topic, replays_poisoned="3"),
        large,
        poisoned("good", small),
    )
    first, told = replay(place), capsys.readouterr()
    more = ("--to", small, "--max-replays", "9", "--reason", "missing")
    second, again = replay(place, *more), capsys.readouterr()

    assert (first, second) == (3, 0), (told, again)
    assert (ids_in(place, small), ids_in(place, place.topic)) == (Counter(["good", "foreign"]), Counter(["often"]))
    assert told.out == f"{place.dlq} to {small}: 1 sent\n"
    assert (
        f"left: 1 cut, as their poison topic took no more: only their own topic has them whole ({place.dlq}["
        in told.err
    )
    assert "left: 1 without a topic to go back to: --to TOPIC sends them" in told.err
    assert "left: 1 replayed as often as --max-replays allows" in told.err
    assert "left: 1 that their topic does not take" in told.err
    assert "over the max.message.bytes of topic" in told.err
    assert "left: " not in again.err


def test_a_topic_that_is_missing_is_named_before_anything_is_sent(place, capsys):
    """The line says how to create it; to send records to where they are is refused."""
    send(place.kafka, place.dlq, poisoned("1", place.topic), poisoned("2", "nowhere"))
    missing = replay(place), capsys.readouterr().err
    circle = replay(place, "--to", place.dlq), capsys.readouterr().err

    assert (missing[0], circle[0]) == (2, 2)
    assert "topic 'nowhere' does not exist on " in missing[1]
    assert f"--to {place.dlq} is where the records are" in circle[1]
    assert not ids_in(place, place.topic)


def test_records_are_listed_and_shown(place, capsys):
    """Those of the poison topics of the lanes, with what was replayed; one by its place, its uuid or the first that is meant."""
    send(place.kafka, place.dlq, poisoned("1", place.topic), poisoned("2", place.topic, REFUSED))
    replay(place, "--reason", "missing")
    capsys.readouterr()
    listed = command_line(place, "list", "--format", "jsonl"), capsys.readouterr().out
    shown = command_line(place, "show", "--reason", "no such column"), capsys.readouterr().out
    by_uuid = command_line(place, "show", "--uuid", "1"), capsys.readouterr().out
    partition, offset = re.search(r"\[(\d)\]@(\d)", by_uuid[1]).groups()
    by_place = command_line(place, "show", place.dlq, partition, offset), capsys.readouterr().out
    nothing = command_line(place, "show", place.dlq, "0", "99"), capsys.readouterr().err
    rows = [json.loads(line) for line in listed[1].splitlines()]

    assert [(row["by"], row["value"], row["records"], row["replayed"]) for row in rows[:3]] == [
        ("all", "", 2, 1),
        ("reason", "ValueError: row # refused: '…'", 1, 0),
        ("reason", "ValueError: tenant_id: missing", 1, 1),
    ]
    assert (shown[0], by_uuid[0], by_place) == (0, 0, by_uuid)
    assert f"came from  topic {place.topic}, partition 0, offset 7\nreplayed   yes\nuuid       1\n" in by_uuid[1]
    assert nothing[0] == 2
    assert f"topic {place.dlq}, partition 0 holds the offsets 0 to " in nothing[1] or "is empty" in nothing[1]


def test_a_poison_file_is_replayed_once(place, capsys):
    """What `ingest` refused goes where it is told, keyed like any event."""
    lines = [make_payload(id="1"), make_payload(id="2")]
    records = [
        {"line": number, "byte_offset": 0, "reason": "row refused", "raw": line.decode()}
        for number, line in enumerate(lines)
    ]
    path = place.folder / "in.ndjson.poison.ndjson"
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    told = replay(place, "--file", path), capsys.readouterr().err
    sent = replay(place, "--file", path, "--to", place.topic, "--max", "1")
    rest = replay(place, "--file", path, "--to", place.topic), capsys.readouterr().out
    listed = command_line(place, "list", "--file", path, "--format", "tsv"), capsys.readouterr().out
    again = replay(place, "--file", path, "--to", place.topic), capsys.readouterr().out

    assert (told[0], sent, rest[0], listed[0]) == (3, 0, 0, 0)
    assert "left: 2 without a topic to go back to: --to TOPIC sends them" in told[1]
    assert again == (0, "nothing to send\n")
    assert ids_in(place, place.topic) == Counter(["1", "2"])
    assert listed[1].startswith(f"{path}\tall\t\t2\t2\t")
