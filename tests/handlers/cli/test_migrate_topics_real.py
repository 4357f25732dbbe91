"""`millstream migrate --topics` on a real Apache Kafka and a real ClickHouse."""

import pytest

from tests.handlers.cli.main_in_process import run_main
from tests.router.kafka.real_kafka import unique

SETTINGS = """\
[clickhouse]
dsn = '{store}'
[kafka]
brokers = ['{brokers}']
[event_processing]
topic = '{name}'
topic_dlq = '{name}-dlq'
[event_processing_lazy]
topic = '{name}-lazy'
topic_dlq = 'drop'
[post_processing]
topic = '{name}-stored'
"""


@pytest.fixture
def place(tmp_path, real_kafka, real_clickhouse):
    """A folder whose settings name topics, and a table, that nobody has yet; its call runs the command there."""
    database, name = real_clickhouse.create_database(), unique("migrate")
    address = real_clickhouse.address(database=database)
    text = SETTINGS.format(store=address, brokers=real_kafka.bootstrap_servers, name=name)
    (tmp_path / "millstream.toml").write_text(text)
    yield name, lambda *arguments: run_main("migrate", "--topics", *arguments, folder=tmp_path)
    real_clickhouse.drop_database(database)


def partitions_of(kafka, name):
    """Return how many partitions the topics have whose name begins so."""
    found = kafka.admin.list_topics(timeout=60).topics
    return {topic.removeprefix(name): len(each.partitions) for topic, each in found.items() if topic.startswith(name)}


def test_topics_are_made_grow_and_are_left(place, real_kafka, capsys):
    """Expect each dry run to change nothing and to print what the run does, and a repeated run to do nothing.

    Partitions grow where that is asked for, and never shrink; what else is different is named.
    """
    name, migrate = place
    shown, counted = [], []
    for options in ([], [], ["--partitions", "8"], ["--partitions", "2", "--dlq-retention-days", "30"]):
        before = partitions_of(real_kafka, name)
        assert migrate("--dry-run", *options) == 0
        dry = capsys.readouterr().out
        assert partitions_of(real_kafka, name) == before
        assert migrate(*options) == 0, capsys.readouterr().err
        done = capsys.readouterr().out
        assert dry == done
        shown.append([line.removeprefix(f"topic {name}") for line in done.splitlines() if line.startswith("topic ")])
        counted.append(partitions_of(real_kafka, name))

    made, again, grown, left = shown
    new = {"": 6, "-lazy": 6, "-stored": 6, "-dlq": 3}
    more = {**new, "": 8, "-lazy": 8, "-stored": 8}
    assert counted == [new, new, more, more]
    assert made == [f"{topic}: created with {count} partitions" for topic, count in new.items()]
    assert again == [f"{topic}: was there, with {count} partitions" for topic, count in new.items()]
    assert [line.partition(" to 8")[0] for line in grown[:3]] == [
        f"{topic}: partitions raised from 6" for topic in ("", "-lazy", "-stored")
    ]
    assert sum("it has 8 partitions, more than 2: left as it is" in line for line in left) == 3
    assert left[-1].startswith("-dlq: its retention.ms is 604800000, not 2592000000: left as it is")


def test_what_was_done_before_a_refusal_is_printed_and_stays(place, real_kafka, capsys):
    """Expect the table to be made and said, then one line of the broker's; another run goes on from there."""
    name, migrate = place
    codes = [migrate("--dry-run", "--replication-factor", "100")]
    dry = capsys.readouterr()
    codes.append(migrate("--replication-factor", "100"))
    done = capsys.readouterr()
    codes.append(migrate())
    again = capsys.readouterr().out.splitlines()

    assert codes == [2, 2, 0]
    assert dry.out == done.out
    assert "events: created" in done.out
    assert "topic " not in done.out
    assert done.err.count("\n") == 1
    assert done.err.startswith(f"millstream: topic '{name}' cannot be created on ")
    assert again[2].endswith("events: was there")
    assert f"topic {name}: created with 6 partitions" in again
