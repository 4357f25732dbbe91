"""What the README says works as written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from millstream.handlers.cli.main import COMMANDS
from tests.handlers.cli.command_aids import environment, query, run

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
FIRST = ROOT / "examples" / "ex01_first_program.py"


def first_program():
    """Return the first Python block of the README."""
    return re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]


def test_the_first_program_stands_before_line_25():
    """A reader meets a whole program at once."""
    end = README.index(first_program()) + len(first_program())

    assert README[:end].count("\n") < 25


def test_the_first_program_is_the_first_example():
    """Word for word, behind what the file says of itself."""
    assert FIRST.read_text().split('"""', 2)[2].strip() == first_program().strip()


@pytest.mark.slow
def test_the_first_program_runs_as_written(tmp_path):
    """It stores its event, says so, and leaves the store that `millstream query` reads by default."""
    done = subprocess.run(
        [sys.executable, str(FIRST)], cwd=tmp_path, capture_output=True, timeout=60, env=environment(), check=False
    )

    assert done.stderr == b""
    assert done.stdout == b"1 event in the store\n"
    assert query("SELECT id, event_name FROM events", cwd=tmp_path) == "1\tapi_call"


def test_it_says_that_the_in_memory_broker_survives_nothing():
    """Nobody should find out by losing something."""
    assert re.search(r"in-memory broker,\s+\*\*which survives nothing", README)


@pytest.mark.slow
def test_every_setting_it_names_exists(tmp_path):
    """The settings of the table are accepted by the program."""
    rows = re.findall(r"^\| `\[(\w+)\] (\w+)`(?:, `(\w+)`)?", README, re.MULTILINE)
    variables = {}
    for section, *keys in rows:
        for key in filter(None, keys):
            number = key not in {"dsn", "database", "table", "tenant_id", "environment_id"}
            words = {
                "dsn": "chdb://x",
                "brokers": "localhost:9092",
                "linger": "0.005",
                "tls": "false",
                "use_sasl": "false",
                "partitioner": "fnv1a_random",
                "start_from": "latest",
                "group_protocol": "consumer",
                "enabled": "true",
                "max_share": "0.5",
                "topic": section,
            }
            value = words.get(key, "50000" if number else "name")
            variables[f"MILLSTREAM_{section.upper()}__{key.upper()}"] = value
    done = run("migrate", cwd=tmp_path, **variables)

    assert len(variables) >= 11
    assert done.returncode == 0, done.stderr


def test_its_table_of_commands_is_that_of_the_program():
    """In the order of the help."""
    assert tuple(re.findall(r"^\| `millstream (\w+)", README, re.MULTILINE)) == COMMANDS


def test_every_public_name_in_its_text_exists():
    """Classes that the README names in code can be imported from where it says."""
    import millstream.handlers
    import millstream.middleware
    import millstream.router

    named = set(re.findall(r"`([A-Z]\w+)(?:\(|`)", README)) - {"None", "FINAL", "FILE", "INSERT"}
    known = {*dir(millstream.router), *dir(millstream.middleware), *dir(millstream.handlers)}

    assert {name for name in named if not name.isupper()} <= known
