"""The command line as a whole: options, exit codes, what stdout and stderr get when something goes wrong."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from millstream import __version__
from millstream.handlers.cli.exit_report import report
from millstream.handlers.store import QueryError, StoreUnavailable
from millstream.router import (
    Cancelled,
    ConfigurationError,
    HaltedError,
    RecoveredPanicError,
    StateError,
    UndrainedError,
)
from tests.handlers.cli.command_aids import command, environment, run
from tests.handlers.cli.main_in_process import run_main

USAGE_MISTAKES = [
    pytest.param(["frobnicate"], "No such command 'frobnicate'", id="unknown command"),
    pytest.param(["query"], "Missing argument 'SQL'", id="missing argument"),
    pytest.param(["query", "--frob", "SELECT 1"], "No such option", id="unknown option"),
    pytest.param(["query", "SELECT 1", "--format", "xml"], "'xml' is not one of", id="unknown format"),
    pytest.param(["--log-level", "loud", "query", "SELECT 1"], "'loud' is not one of", id="unknown level"),
    pytest.param(
        ["--store", "mysql://x", "query", "SELECT 1"], "unknown store scheme 'mysql'", id="store before the name"
    ),
    pytest.param(
        ["query", "SELECT 1", "--store", "mysql://x"], "unknown store scheme 'mysql'", id="store behind the name"
    ),
    pytest.param(
        ["--store", "chdb://a", "query", "SELECT 1", "--store", "mysql://x"], "'mysql'", id="the later store wins"
    ),
    pytest.param(
        ["query", "SELECT 1", "--config", "none.toml"], "cannot read none.toml", id="settings file that is not there"
    ),
    pytest.param(["query", "SELECT 1"], "there is no store at", id="no store here"),
    pytest.param(
        ["--store", "chdb://a", "publish", "-"], "--store means nothing to publish", id="store before a command without"
    ),
    pytest.param(["publish", "-", "--store", "chdb://a"], "No such option", id="store behind a command without"),
]

ENDINGS = [
    pytest.param(ConfigurationError("wrong"), 2, id="configuration"),
    pytest.param(QueryError("wrong", code=62), 2, id="statement"),
    pytest.param(StoreUnavailable("wrong"), 2, id="store that cannot be reached"),
    pytest.param(HaltedError("wrong"), 4, id="halted"),
    pytest.param(UndrainedError(["wrong"], 1.0), 5, id="undrained"),
    pytest.param(Cancelled("wrong"), 5, id="called off"),
    pytest.param(OSError(errno.ENOSPC, "wrong"), 2, id="disk full"),
    pytest.param(KeyboardInterrupt(), 130, id="interrupted"),
]

BUGS = [
    pytest.param(ValueError("oops"), id="any error"),
    pytest.param(StateError("oops"), id="call at the wrong time"),
    pytest.param(RecoveredPanicError(SystemExit("oops"), "trace"), id="panic of a handler"),
    pytest.param(FileNotFoundError(errno.ENOENT, "oops"), id="file nobody asked for"),
]


@pytest.mark.parametrize(("arguments", "told"), USAGE_MISTAKES)
def test_wrong_usage_is_told_in_one_line(tmp_path: Path, capsys, arguments: list[str], told: str) -> None:
    """Exit code 2, one line on stderr that says what is wrong, nothing on stdout, and no file made."""
    code = run_main(*arguments, folder=tmp_path)
    out, err = capsys.readouterr()

    assert (code, out) == (2, "")
    assert told in err
    assert len(err.splitlines()) == 1
    assert err.startswith("millstream: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("error", "code"), ENDINGS)
def test_a_fault_that_is_no_bug_has_an_exit_code_and_no_traceback(capsys, error: BaseException, code: int) -> None:
    """Each kind of ending has its own code; stderr gets a line."""
    reported = report(error)
    err = capsys.readouterr().err

    assert reported == code
    assert len(err.splitlines()) == 1
    assert err.startswith("millstream: ")


@pytest.mark.parametrize("error", BUGS)
def test_a_bug_shows_its_traceback(capsys, error: BaseException) -> None:
    """Exit code 1, and all that is needed to find it."""
    try:
        raise error
    except type(error):
        code = report(error)
    err = capsys.readouterr().err

    assert code == 1
    assert "test_a_bug_shows_its_traceback" in err
    assert "oops" in err
    assert err.splitlines()[-1] == "millstream: this is a bug in Millstream: please report it with the lines above"


def test_a_reader_that_went_away_is_no_news(capsys) -> None:
    """A broken pipe has the code a shell knows it by, and not a word."""
    code = report(BrokenPipeError(errno.EPIPE, "Broken pipe"))

    assert code == 141
    assert capsys.readouterr() == ("", "")


def test_a_long_error_is_one_line(capsys) -> None:
    """Its lines are joined, a long one keeps its beginning and its end, and what a terminal would obey is not passed on."""
    report(ConfigurationError("one\n\n  two \x1b[31m\n" + "x" * 5000 + "\nfour"))
    [line] = capsys.readouterr().err.splitlines()

    assert line.startswith("millstream: one two \N{REPLACEMENT CHARACTER}[31m xxx")
    assert line.endswith("xxx four")
    assert "x…x" in line
    assert len(line) < 500


def test_help_and_version_are_on_stdout(tmp_path: Path, capsys) -> None:
    """Every command says what it does, with the options that all have."""
    codes = [run_main(*each, "--help", folder=tmp_path) for each in ([], ["query"], ["migrate"], ["ingest"], ["demo"])]
    codes.append(run_main("--version", folder=tmp_path))
    out, err = capsys.readouterr()

    assert (codes, err) == ([0] * 6, "")
    assert all(out.count(f"{option} ") >= 5 for option in ("--config", "--store", "--log-level", "--log-format"))
    assert out.splitlines()[-1] == f"millstream {__version__}"


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("demo", {"--store", "--events", "--seed", "--rate", "--forever"}),
        ("ingest", {"--store", "--poison", "--max-poison"}),
        ("publish", {"--topic", "--brokers", "--create-topic", "--poison", "--max-poison"}),
        ("run", {"--store", "--brokers", "--once", "--instance", "--workers", "--reload", "--interval"}),
        ("query", {"--store", "--format", "--write"}),
        (
            "migrate",
            {
                "--store",
                "--brokers",
                "--dry-run",
                "--topics",
                "--partitions",
                "--dlq-partitions",
                "--replication-factor",
                "--dlq-retention-days",
            },
        ),
    ],
)
def test_a_command_offers_what_means_something_to_it(tmp_path: Path, capsys, name: str, own: set[str]) -> None:
    """Besides the settings file and how to log, which all have; what is not in this table has to be thought about."""
    code = run_main(name, "--help", folder=tmp_path)
    offered = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", capsys.readouterr().out, re.MULTILINE))

    assert code == 0
    assert offered == own | {"--config", "--log-level", "--log-format", "--help"}


def test_no_command_at_all_shows_the_help(tmp_path: Path, capsys) -> None:
    """It is wrong usage, with the list of commands on stderr."""
    code = run_main(folder=tmp_path)
    out, err = capsys.readouterr()

    assert (code, out) == (2, "")
    assert "migrate" in err


@pytest.mark.slow
def test_log_records_go_to_stderr_as_told() -> None:
    """Text and JSON, from the level that was asked for; an exception with its traceback."""
    log = "logger.bind(rows=3, message='m').info('stored')\n"
    log += "try: int('')\nexcept ValueError: logger.exception('bad')\n"
    log += "logger.warning('store down: {reason}', reason='{away}', since=3)"
    setup = "from millstream import log_to_stderr\nfrom loguru import logger"
    script = f"""{setup}
for level, form in (("INFO", "text"), ("INFO", "json"), ("ERROR", "json")):
    log_to_stderr(level, form)
    exec({log!r}, {{"__name__": "millstream.x", "logger": logger}})
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    text, *rest = done.stderr.splitlines()
    records = [json.loads(line) for line in rest if line.startswith("{")]

    assert text.endswith("INFO     stored rows=3 message=m")
    assert any(line.endswith("WARNING  store down: {away} since=3") for line in rest)
    assert [each["message"] for each in records] == ["stored", "bad", "store down: {away}", "bad"]
    assert records[2]["fields"] == {"reason": "{away}", "since": 3}
    assert (records[0]["level"], records[0]["fields"]) == ("INFO", {"rows": 3, "message": "m"})
    assert "ValueError" in records[1]["exception"]


@pytest.mark.slow
def test_python_m_millstream_is_the_command_line(tmp_path: Path) -> None:
    """The exit code of the command is that of the process."""
    done = run("query", "SELECT 1", cwd=tmp_path)
    says = f"there is no store at {tmp_path / 'millstream-data'}: name another, or make one with millstream migrate"

    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.decode() == f"millstream: {says}\n"


@pytest.mark.slow
def test_a_reader_that_stops_reading_ends_the_command_silently(tmp_path: Path) -> None:
    """Like any program in front of `head`: exit code 141, nothing on stderr."""
    assert run("migrate", cwd=tmp_path).returncode == 0
    reading, writing = os.pipe()
    child = subprocess.Popen(
        command("query", "SELECT number FROM numbers(100000000)"),
        cwd=tmp_path,
        env=environment(PYTHONUNBUFFERED=""),
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    first = os.read(reading, 2)
    os.close(reading)
    _, err = child.communicate(timeout=60)

    assert first == b"0\n"
    assert (child.returncode, err) == (141, b"")


@pytest.mark.slow
def test_a_full_disk_behind_stdout_is_told(tmp_path: Path) -> None:
    """No traceback, and no complaint of Python's own at its end."""
    with Path("/dev/full").open("wb") as full:
        done = run_into(full.fileno(), "--help", cwd=tmp_path)

    assert (done.returncode, done.stderr) == (2, b"millstream: No space left on device\n")


@pytest.mark.slow
def test_a_reader_that_was_never_there_is_no_news(tmp_path: Path) -> None:
    """Nor is what was buffered for it when the interpreter ends."""
    reading, writing = os.pipe()
    os.close(reading)
    done = run_into(writing, "--help", cwd=tmp_path)
    os.close(writing)

    assert (done.returncode, done.stderr) == (141, b"")


def run_into(stdout: int, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Run `millstream` with a stdout that is open already, and buffered even where Python is told otherwise."""
    env = environment(PYTHONUNBUFFERED="")
    return subprocess.run(
        command(*arguments), cwd=cwd, env=env, stdout=stdout, stderr=subprocess.PIPE, check=False, timeout=60
    )


@pytest.mark.slow
def test_the_collector_is_tuned_for_the_process_that_asks() -> None:
    """What exists is left out of collections, and the youngest are collected more rarely."""
    script = (
        "import gc; from millstream.handlers.cli.gc_tuning import tune_gc; before = gc.get_threshold(); tune_gc();"
        " print(gc.get_freeze_count() > 1000, gc.get_threshold()[0] > before[0], gc.isenabled())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.split() == ["True"] * 3


@pytest.mark.slow
def test_a_command_does_not_wait_for_what_others_use(tmp_path: Path) -> None:
    """A service that was killed is back sooner: `run` draws nothing, so nothing that draws is imported."""
    code = "import sys; from millstream.handlers.cli.main import main; main(['run', '--help']); sys.exit('rich' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, check=False
    )

    assert b"Consume the enabled lanes" in done.stdout
    assert done.returncode == 0, done.stderr
