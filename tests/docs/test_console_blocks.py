"""Every console block of the README and of docs/ runs as typed, in a folder that holds nothing but what a fresh clone has.

Only the addresses are others: those of the broker and of the server that the tests share.
"""

import os
import shlex
import sys

import pytest
from confluent_kafka import KafkaError, KafkaException

from millstream.handlers import Settings
from tests.docs.console import Shell, blocks, is_shown, pages, steps_of, without_bars
from tests.guards.sources import ROOT
from tests.router.kafka.real_kafka import insist, wait_until

PAGES = pages()
WITH_COMMANDS = [name for name, page in PAGES.items() if blocks(page, "console")]
CLONE = ("Makefile", "constraints.txt", "examples", "pyproject.toml", "scripts")
"""What the pages type commands with."""
BROKER = "localhost:9092"
STORE = "http://default@localhost:8123/default"
LANES = Settings().lanes.values()
MORE_TOPICS = {"evnts"}
SECONDS = 60.0


@pytest.fixture
def clone(tmp_path):
    """What a clone is after its first `make`, but that nothing has to be installed."""
    for name in CLONE:
        (tmp_path / name).symlink_to(ROOT / name)
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name, module in {"millstream": "-m millstream", "python": ""}.items():
        (folder / name).write_text(
            f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {sys.executable} {module} "$@"\n'
        )
        (folder / name).chmod(0o755)
    (tmp_path / ".venv" / ".installed").touch()
    return tmp_path


@pytest.fixture
def kafka(real_kafka):
    """The broker, without the topics and groups of the lanes: pages call them by their own names."""
    forget_lanes(real_kafka)
    yield real_kafka
    forget_lanes(real_kafka)


def forget_lanes(kafka):
    """Delete the topics and groups of all lanes, and what else pages create."""
    names = ({name for lane in LANES for name in (lane.topic, lane.topic_dlq)} | MORE_TOPICS) & topics_of(kafka)
    for done in kafka.admin.delete_topics(list(names)).values() if names else ():
        done.result(SECONDS)
    wait_until(lambda: not names & topics_of(kafka), "the end of the topics")
    for lane in LANES:
        insist(lambda group=lane.consumer_group: forget_group(kafka, group))


def forget_group(kafka, group):
    """Delete *group*, if there is one."""
    try:
        kafka.admin.delete_consumer_groups([group])[group].result(SECONDS)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
            raise


def topics_of(kafka):
    """Return the names of all topics."""
    return set(kafka.admin.list_topics(timeout=SECONDS).topics)


@pytest.fixture
def database(real_clickhouse):
    """A database of its own, in place of the one that pages name."""
    name = real_clickhouse.create_database()
    yield name
    real_clickhouse.drop_database(name)


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_the_commands_of_the_page_give_what_it_shows(page, clone, kafka, real_clickhouse, database):
    """One after the other in one shell: the exit code is 0 unless the page looks at it, the lines are those that it shows."""
    address = real_clickhouse.address(None if "@" in real_clickhouse.url else "default", database)
    others = [(BROKER, kafka.bootstrap_servers), (STORE, address)]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("MILLSTREAM_", "PYTHON"))}
    if page != "README.md":  # where it is said once for all
        env["PATH"] = f"{clone / '.venv' / 'bin'}:{env['PATH']}"
    steps = steps_of(PAGES[page])

    with Shell(clone, env) as shell:
        for step, then in zip(steps, [*steps[1:], None], strict=True):
            lines, code = shell.run(replaced(step.command, others))
            written = without_bars(replaced("\n".join(lines), [(there, here) for here, there in others]).splitlines())
            text = "\n".join([f"$ {step.command}", *written, f"(exit code {code})"])

            assert not step.shown or is_shown(step.shown, [line.replace(database, "default") for line in written]), text
            assert code == 0 or (then is not None and then.command == "echo $?"), text


def replaced(text, pairs):
    """Return *text* with the first of each pair replaced by the second."""
    for old, new in pairs:
        text = text.replace(old, new)
    return text
