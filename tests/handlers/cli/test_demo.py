"""`millstream demo` as a user runs it."""

import re
import signal
import socket
import subprocess

import pytest

from millstream.handlers.cli.demo import demo_settings
from millstream.handlers.cli.demo_events import make_events
from millstream.handlers.events import decode_event
from millstream.handlers.settings import load_settings
from tests.handlers.cli.command_aids import command, environment, query, run

FEW = "20"
"""Events, each of which is stored by itself too: that takes longest."""
PRODUCTION = "chdb://production"
USER_STORES = [
    pytest.param(f"[clickhouse]\ndsn = '{PRODUCTION}'\ndatabase = 'usage'\ntable = 'raw'\n", {}, id="settings file"),
    pytest.param("", {"MILLSTREAM_CLICKHOUSE__DSN": PRODUCTION}, id="variable"),
]


@pytest.mark.parametrize(("config", "variables"), USER_STORES)
def test_the_store_of_a_demo_is_its_own_unless_the_command_line_names_one(tmp_path, config, variables):
    """Whatever the settings say it is a new folder, gone afterwards; the one on the command line is taken as it is."""
    file = tmp_path / "millstream.toml"
    file.write_text(config)
    settings = load_settings(file, variables)
    with demo_settings(settings, None) as own:
        folder = own.clickhouse.address.folder
        was_there = folder.is_dir()
    with demo_settings(settings, PRODUCTION) as named:
        pass

    assert was_there
    assert not folder.exists()
    assert "millstream-demo-" in folder.name
    assert (own.clickhouse.database, own.clickhouse.table) == ("default", "events")
    assert named is settings


@pytest.mark.slow
def test_the_demo_touches_nothing_of_the_user_s_and_leaves_nothing_behind(tmp_path):
    """It ends well, no folder is left, nobody has called at the brokers of the settings; a script finds the last line whole."""
    config, variables = USER_STORES[0].values[0], USER_STORES[1].values[1]
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    narrow = {"COLUMNS": "20", "TMPDIR": str(temporary)}
    with socket.create_server(("127.0.0.1", 0)) as broker:
        broker.setblocking(False)
        brokers = f"127.0.0.1:{broker.getsockname()[1]}"
        (tmp_path / "millstream.toml").write_text(f"{config}[kafka]\nbrokers = ['{brokers}']\n")
        done = run("demo", "--events", FEW, cwd=tmp_path, **variables, **narrow)

        assert done.returncode == 0, done.stderr
        with pytest.raises(BlockingIOError):
            broker.accept()
    assert re.fullmatch(rb"rows per INSERT: \d+", done.stdout.splitlines()[-1])
    assert list(temporary.iterdir()) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["millstream.toml", "tmp"]


@pytest.mark.slow
def test_the_demo_closes_with_tables_and_the_rows_per_insert(tmp_path):
    """Both ways stand beside each other, the answer comes from SQL, and the last line is for scripts."""
    done = run("demo", "--events", "5000", cwd=tmp_path)
    text = done.stdout.decode()

    assert done.returncode == 0, done.stderr
    assert re.search(r"batched +│ +5,000 │", text)
    assert re.search(r"per message \(sample\) +│ +200 │ +200 │ +1 │", text)
    assert "customer-001" in text
    assert re.fullmatch(r"rows per INSERT: \d+", text.splitlines()[-1])


@pytest.mark.slow
def test_a_given_store_keeps_the_events(tmp_path):
    """With --store the events can be queried afterwards; the same seed makes the same events."""
    for _ in range(2):
        assert run("demo", "--events", FEW, "--seed", "7", "--store", "chdb://kept", cwd=tmp_path).returncode == 0

    assert query("SELECT count() FROM events FINAL", cwd=tmp_path, store="chdb://kept") == FEW


@pytest.mark.slow
def test_a_demo_that_goes_on_ends_with_its_tables_when_it_is_interrupted(tmp_path):
    """--rate --forever stores as it goes; the first signal closes it in order."""
    process = subprocess.Popen(
        command("demo", "--rate", "2000", "--forever"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    for line in process.stderr:
        if not line.startswith(b"stored 0 "):
            break
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    assert out.splitlines()[-1].startswith(b"rows per INSERT: ")


@pytest.mark.slow
@pytest.mark.parametrize("rate", ["0.001", "1e300"])
def test_a_demo_at_any_rate_ends_when_it_is_interrupted(tmp_path, rate):
    """Neither a wait of minutes for the next event nor a rate beyond all memory is in the way of a signal."""
    process = subprocess.Popen(
        command("demo", "--rate", rate, "--forever"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    for line in process.stderr:
        if not line.startswith(b"stored 0 "):
            break
    process.send_signal(signal.SIGINT)
    try:
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == 0
    assert out.splitlines()[-1].startswith(b"rows per INSERT: ")


def test_made_up_events_are_valid_and_the_same_for_a_seed():
    """The generator makes events that pass every check, again and again the same."""
    first, second = make_events(3), make_events(3)
    pairs = [(next(first), next(second)) for _ in range(200)]

    assert all(one == other for one, other in pairs)
    assert all(decode_event(payload).id == uuid for (uuid, payload), _ in pairs)
