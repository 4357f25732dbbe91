"""Wrong input of every kind, command by command: an exit code, and one line that says what is wrong or what to do."""

import io
import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from millstream.handlers.cli.exit_report import MAX_LINE_LENGTH
from millstream.handlers.cli.main import main
from tests.handlers.cli.main_in_process import run_main
from tests.handlers.cli.test_help import ALL
from tests.handlers.events.event_payloads import make_payload

pytestmark = pytest.mark.slow  # the whole command line a hundred and fifty times: seconds

NOWHERE = "localhost:1"
"""A port that nobody listens on; nothing below gets as far as to wait for it."""
AWAY = "http://127.0.0.1:1/db"
NO_BYTES = os.fsdecode(b"\xff")
"""What Python makes of an argument that is no UTF-8."""
FILES = {
    "ok.ndjson": make_payload() + b"\n",
    "empty": b"",
    "empty.gz": b"",
    "noise": bytes(range(256)) * 16,
    "noise.gz": bytes(range(256)) * 16,
    "noise.zst": bytes(range(256)) * 16,
    "cut.toml": b"[kafka\n",
    "noise.toml": b"\xff\xfe\x00[",
    "section.toml": b"[bach]\n",
    "key.toml": b"[batch]\nbatch_sise = 1\n",
    "type.toml": b"[batch]\nbatch_size = 'many'\n",
    "negative.toml": b"[batch]\nbatch_size = -1\n",
    "bare.toml": b"batch_size = 1\n",
    "twice.toml": b"[batch]\nbatch_size = 1\nbatch_size = 2\n",
    "table.toml": b"[clickhouse]\ntable = 'events; DROP TABLE x'\n",
    "dlq.toml": b"[event_processing]\ntopic_dlq = ''\n",
    "dropped.toml": b"[event_processing]\ntopic_dlq = 'drop'\n[event_processing_lazy]\nenabled = false\n",
    "wrong_app.py": b"number = 1\ndef wants(name): pass\n",
    "wrong_text.py": b"x = (\n",
    "wrong_fails.py": b"raise KeyError('k')\n",
}


@dataclass
class Case:
    """A command line, in words, and what its line on stderr has to hold."""

    line: str
    says: str
    code: int = 2
    variables: dict[str, str] = field(default_factory=dict)
    stdin: str = "empty"
    more: tuple[str, ...] = ()
    """Arguments behind those of the line, such as one with blanks in it."""

    @property
    def id(self) -> str:
        """What pytest calls it."""
        words = [f"{name}={value}" for name, value in self.variables.items()]
        return shlex.join([*words, *self.line.split(), *self.more])[:70].replace(NO_BYTES, "?")


def wrong_setting(value: str, says: str, name: str = "BATCH__BATCH_SIZE") -> Case:
    """Return a case of a variable."""
    return Case("config check", says, variables={f"MILLSTREAM_{name}": value})


CASES = [
    # The program itself, and the options that all have.
    Case("frobnicate", "No such command 'frobnicate'; see millstream --help"),
    Case("qery", "see millstream --help", more=("SELECT 1",)),
    Case("--frob", "No such option '--frob'; see millstream --help"),
    Case("--config", "requires an argument"),
    Case("--config folder migrate", "is a directory"),
    Case("--config none.toml migrate", "cannot read none.toml: No such file"),
    Case("--log-level loud migrate", "'loud' is not one of 'trace', 'debug'"),
    Case("migrate --log-format xml", "'xml' is not one of 'text', 'json'"),
    Case("migrate --config", "the name of the file is empty", more=("",)),
    # Settings: files.
    Case("config check --config loop", "cannot read loop: Too many levels"),
    Case("config check --config cut.toml", "cut.toml, line 1, column 7: Expected ']'"),
    Case("config check --config noise.toml", "noise.toml, line 1: not UTF-8"),
    Case("config check --config section.toml", "unknown section [bach]; did you mean [batch]?"),
    Case("config check --config key.toml", "batch.batch_sise is no setting; did you mean batch.batch_size?"),
    Case("config check --config type.toml", "batch.batch_size must be a whole number, not 'many'"),
    Case("config check --config negative.toml", "batch.batch_size must be at least 1, not -1"),
    Case("config check --config bare.toml", "stands outside any section"),
    Case("config check --config twice.toml", "twice.toml, line 3, column 15: Cannot overwrite"),
    Case("config check --config table.toml", "not a usable database, table or column name: letters, digits and"),
    Case("config check --config dlq.toml", "event_processing.topic_dlq must be chosen"),
    Case("config check extra", "unexpected extra argument (extra); see millstream config check --help"),
    Case("config frob", "No such command 'frob'; see millstream config --help"),
    Case("config init ok.ndjson", "is there already, and stays as it is: name another file"),
    Case("config init folder", "is a directory"),
    Case("config init ok.ndjson/x.toml", "cannot write ok.ndjson/x.toml: Not a directory"),
    Case("config init", "the name of the file is empty", more=("",)),
    # Settings: the environment.
    wrong_setting("many", "MILLSTREAM_BATCH__BATCH_SIZE: batch.batch_size must be a whole number, not 'many'"),
    wrong_setting("", "must be a whole number, not ''"),
    wrong_setting("1", "did you mean MILLSTREAM_BATCH__BATCH_SIZE?", "BACH__BATCH_SIZE"),
    wrong_setting("1", "did you mean MILLSTREAM_BATCH__BATCH_SIZE?", "BATCH__BATCH_SISE"),
    wrong_setting("1", "did you mean MILLSTREAM_BATCH__BATCH_SIZE?", "BATCH_BATCH_SIZE"),
    wrong_setting("nan", "must be a number of at most", "ROUTER__CLOSE_TIMEOUT"),
    wrong_setting("maybe", "must be true or false, not 'maybe'", "EVENT_PROCESSING__ENABLED"),
    wrong_setting("0", "must be more than 0 messages/s", "EVENT_PROCESSING__RATE_LIMIT"),
    wrong_setting("localhost", "each broker as host:port", "KAFKA__BROKERS"),
    wrong_setting(" , ", "kafka.brokers must be a list", "KAFKA__BROKERS"),
    wrong_setting("a b", "group_instance_id must be 1 to 249 of", "KAFKA__GROUP_INSTANCE_ID"),
    wrong_setting("none.toml", "cannot read none.toml", "CONFIG"),
    wrong_setting("folder", "cannot read folder: Is a directory", "CONFIG"),
    # The address of a store.
    Case("config check --store data", "the store address has no scheme; known: chdb:///folder"),
    Case("migrate --store mysql://x", "unknown store scheme 'mysql'; known: chdb:///folder"),
    Case("migrate --store http://host:port/db", "not well formed; expected http://user"),
    Case("migrate --store http://host/a/b", "not well formed; expected http://user"),
    Case("migrate --store http://host/a-b", "clickhouse.database: 'a-b' is not a usable"),
    Case("migrate --store chdb://", "needs a folder: chdb:///folder"),
    Case("migrate --store chdb://ok.ndjson", "as a store folder: it is a file"),
    Case("query --store chdb://ok.ndjson/x", "there is no store at", more=("SELECT 1",)),
    Case("migrate --store chdb://~nobody-is-called-so/x", "as a store folder: Could not determine home"),
    Case(f"query --store chdb://{'x' * 300}", "File name too long", more=("SELECT 1",)),
    Case(f"migrate --store {AWAY}", f"cannot reach {AWAY}: Connection refused"),
    Case(f"migrate --dry-run --store chdb://{'x' * 300}", "File name too long"),
    Case("migrate --partitions 3", "--partitions has no effect without --topics; see millstream migrate --help"),
    Case("migrate --brokers a:1", "--brokers has no effect without --topics"),
    Case("migrate --topics", "no Kafka brokers are set: give --brokers host:port"),
    Case("migrate --topics --brokers localhost", "each broker as host:port"),
    Case("migrate --topics --partitions 0", "0 is not in the range 1<=x<=100000"),
    Case("migrate --topics --dlq-partitions few", "'few' is not a valid whole number"),
    Case("migrate --topics --replication-factor -1", "-1 is not in the range"),
    Case("migrate --topics --dlq-retention-days 1.5", "'1.5' is not a valid whole number"),
    Case("migrate extra", "unexpected extra argument (extra); see millstream migrate --help"),
    # demo
    Case("demo --events 0", "0 is not in the range x>=1"),
    Case("demo --events 1.5", "'1.5' is not a valid whole number"),
    Case("demo --events -3", "-3 is not in the range x>=1"),
    Case("demo --rate 0", "0.0 is not in the range x>0"),
    Case("demo --rate nan", "'nan' is not a valid number"),
    Case("demo --rate inf", "'inf' is not a valid number"),
    Case("demo --seed x", "'x' is not a valid integer"),
    Case("demo --forever --events 10 --store chdb:///proc/nowhere", "--forever has no end: leave --events out"),
    Case("demo extra", "see millstream demo --help"),
    # ingest
    Case("ingest", "Missing argument 'FILE…'; see millstream ingest --help"),
    Case("ingest", "the name of a file is empty", more=("",)),
    Case("ingest none.ndjson", "none.ndjson: No such file or directory"),
    Case("ingest folder", "folder: Is a directory"),
    Case("ingest ok.ndjson folder", "folder: Is a directory"),
    Case("ingest loop", "loop: Too many levels of symbolic links"),
    Case(f"ingest {NO_BYTES}", "No such file or directory"),
    Case("ingest - ok.ndjson -", "stdin can be read only once"),
    Case("ingest ok.ndjson --max-poison -1", "-1 is not in the range x>=0"),
    Case("ingest ok.ndjson --max-poison few", "'few' is not a valid whole number"),
    Case("ingest ok.ndjson --poison none/x", "--poison none/x: No such file or directory"),
    Case("ingest ok.ndjson --poison folder", "is a directory"),
    Case("ingest ok.ndjson --poison ok.ndjson", "is an input: it would be overwritten"),
    Case("ingest ok.ndjson --poison", "the name of the file is empty", more=("",)),
    Case("ingest ok.ndjson --store chdb:///proc/nowhere", "cannot use /proc/nowhere as a store folder"),
    Case("ingest ok.ndjson --brokers a:1", "No such option '--brokers'"),
    Case(f"ingest ok.ndjson --store {AWAY}", f"cannot reach {AWAY}"),
    # publish
    Case("publish", "Missing argument 'FILE…'; see millstream publish --help"),
    Case("publish ok.ndjson", "no Kafka brokers are set: give --brokers host:port"),
    Case(f"publish none.ndjson --brokers {NOWHERE}", "none.ndjson: No such file or directory"),
    Case("publish ok.ndjson --brokers localhost", "each broker as host:port with a port from 1 to 65535"),
    Case("publish ok.ndjson --brokers http://a:1", "each broker as host:port"),
    Case("publish ok.ndjson --brokers a:99999", "each broker as host:port"),
    Case("publish ok.ndjson --brokers ,", "--brokers names none: give host:port"),
    Case(f"publish ok.ndjson --brokers {NO_BYTES}:1", "each broker as host:port"),
    Case(f"publish ok.ndjson --brokers {NOWHERE} --topic", "--topic must be 1 to 249 of", more=("a b",)),
    Case(f"publish ok.ndjson --brokers {NOWHERE} --create-topic 0", "0 is not in the range 1<=x<=100000"),
    Case("publish ok.ndjson --store chdb://x", "No such option '--store'; see millstream publish --help"),
    Case("--store chdb://x publish ok.ndjson", "--store means nothing to publish, which opens no store"),
    Case(
        f"publish ok.ndjson --brokers {NOWHERE}",
        "kafka.sasl_user and sasl_password are needed",
        variables={"MILLSTREAM_KAFKA__USE_SASL": "true"},
    ),
    # run
    Case("run", "no Kafka brokers are set: give --brokers host:port"),
    Case("run --brokers localhost", "each broker as host:port"),
    Case("run --workers 0", "0 is not in the range x>=1"),
    Case(f"run --brokers {NOWHERE} --workers 2", "--workers 2 needs a ClickHouse server"),
    Case("run --workers 2 --reload", "leave --workers out"),
    Case("run --interval 0", "0.0 is not in the range x>0"),
    Case("run --interval nan", "'nan' is not a valid number"),
    Case(f"run --brokers {NOWHERE} --instance", "--instance must be 1 to 249 of", more=("a b",)),
    Case("run --config dlq.toml", "topic_dlq must be chosen"),
    Case("run wrong_app", "'wrong_app' names no router: give module:attribute"),
    Case("run wrong_app.py:number", "did you mean wrong_app:number?"),
    Case("run nowhere:router", "there is no module 'nowhere'"),
    Case("run wrong_app:nunber", "has no 'nunber'; did you mean 'number'?"),
    Case("run wrong_app:number", "is no Router and makes none, but gives a int"),
    Case("run wrong_app:wants", "is called without arguments, and wants some"),
    Case("run wrong_text:x", "SyntaxError: '(' was never closed (wrong_text.py, line 1)"),
    Case("run wrong_fails:x", "KeyError: 'k' (wrong_fails.py, line 1"),
    Case("run wrong_app:number --once", "--once is for the lanes of the settings"),
    Case("run wrong_app:number wrong_app:number", "unexpected extra argument"),
    # dlq
    Case("dlq list", "no Kafka brokers are set: give --brokers"),
    Case(f"dlq list --brokers {NOWHERE} --since now", "--since 'now' is no time: give it as 2026-11-28"),
    Case(f"dlq list --brokers {NOWHERE} --until 2026-11-31", "--until '2026-11-31' is no time"),
    Case(f"dlq list --brokers {NOWHERE} --since 2026-11-28 --until 2026-11-27", "--since is not before --until"),
    Case(f"dlq list --brokers {NOWHERE} --topic", "--topic must be 1 to 249 of the characters", more=("a b",)),
    Case(f"dlq list --brokers {NOWHERE} --group", "--group must be text", more=("",)),
    Case(f"dlq list --brokers {NOWHERE} --reason", "--reason is empty: give a text, or leave it out", more=("",)),
    Case(
        f"dlq list --brokers {NOWHERE} --config", "no lane that is enabled has a poison topic", more=("dropped.toml",)
    ),
    Case("dlq list --topic a --file ok.ndjson", "--file and --topic do not go together: give one of them"),
    Case("dlq list --file none.ndjson", "none.ndjson: No such file or directory"),
    Case("dlq list --file folder", "is a directory"),
    Case("dlq list --file", "the name of the file is empty", more=("",)),
    Case("dlq list --file ok.ndjson", "ok.ndjson, line 1 is no poison record: "),
    Case("dlq list --file noise", "is no poison record: "),
    Case("dlq list --store chdb://x", "No such option '--store'; see millstream dlq list --help"),
    Case(f"dlq show dlq 0 --brokers {NOWHERE}", "give TOPIC PARTITION OFFSET, such as events-dlq 0 17, not dlq 0"),
    Case(f"dlq show dlq 0 x --brokers {NOWHERE}", "give TOPIC PARTITION OFFSET"),
    Case(f"dlq show dlq 0 1 --uuid u --brokers {NOWHERE}", "is one record: leave the other options out"),
    Case("dlq show --file empty", "no such record: millstream dlq list shows which there are"),
    Case(f"dlq replay --brokers {NOWHERE} --to", "--to must be 1 to 249 of the characters", more=("a b",)),
    Case(f"dlq replay --brokers {NOWHERE} --rate 0", "0.0 is not in the range x>0"),
    Case(f"dlq replay --brokers {NOWHERE} --rate nan", "'nan' is not a valid number"),
    Case(f"dlq replay --brokers {NOWHERE} --max 0", "0 is not in the range x>=1"),
    Case(f"dlq replay --brokers {NOWHERE} --max-replays few", "'few' is not a valid whole number"),
    Case("dlq replay --file ok.ndjson", "no Kafka brokers are set: give --brokers"),
    # doctor
    Case("doctor --probe-timeout 0", "0.0 is not in the range x>0"),
    Case("doctor --probe-timeout nan", "'nan' is not a valid number"),
    Case("doctor --brokers ,", "--brokers names none: give host:port"),
    Case("doctor --config type.toml", "batch.batch_size must be a whole number"),
    Case("doctor --store mysql://x", "unknown store scheme 'mysql'"),
    Case("doctor extra", "see millstream doctor --help"),
    # query
    Case("query", "Missing argument 'SQL'; see millstream query --help"),
    Case("query", "unexpected extra argument (SELECT 2)", more=("SELECT 1", "SELECT 2")),
    Case("query --format xml", "'xml' is not one of 'auto', 'table'", more=("SELECT 1",)),
    Case("query", "there is no store at", more=("SELECT 1",)),
    Case("query", "the SQL is not UTF-8", more=(f"SELECT {NO_BYTES}",)),
    Case("query -", "the SQL on standard input is not UTF-8", stdin="noise"),
    Case(f"query --store {AWAY}", f"cannot reach {AWAY}", more=("SELECT 1",)),
]

BEGUN = [
    Case("publish noise.gz", "noise.gz: is not what its name says, or damaged"),
    Case("publish noise.zst", "noise.zst: is not what its name says, or damaged"),
    Case("publish empty.gz", "empty.gz: ends early: the compressed data is cut off; no line of it was read"),
    Case("publish /proc/self/mem", "/proc/self/mem: Input/output error; no line of it was read"),
    Case("publish noise --max-poison 1", "lines were refused, more than --max-poison 1", code=4),
]
"""What is found once the work has begun: a line says what became of it, and the last one what is wrong."""

STATEMENTS = [
    Case("query", "the statement is empty", more=("",)),
    Case("query -", "the statement is empty"),
    Case("query", "several statements in one; send one at a time", more=("SELECT 1; SELECT 2",)),
    Case("query --write", "several statements in one; send one at a time", more=("SELECT 1; SELECT 2",)),
    Case("query", "Syntax error", more=("SELECT\n1 FRO\n\n x",)),
    Case("query", "Unknown table expression identifier 'nowhere'", more=("SELECT * FROM nowhere",)),
    Case(
        "query", "readonly mode [ClickHouse code 164]; with --write", more=("CREATE TABLE t (n Int8) ENGINE = Memory",)
    ),
    Case("query", "has --format for that", more=("SELECT 1 FORMAT JSON",)),
]
"""What only the engine can tell, or what looks at a statement in a store that is there."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files of every kind; the modules in it are forgotten after the test."""
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("wrong_app", "wrong_text", "wrong_fails"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in [each for each in os.environ if each.startswith("MILLSTREAM_")]:
        monkeypatch.delenv(name)
    return tmp_path


def end_of(case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command line of *case* and return its exit code."""
    for name, value in case.variables.items():
        monkeypatch.setenv(name, value)
    with (folder / case.stdin).open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file, encoding="utf-8"))
        return run_main(*case.line.split(), *case.more, folder=folder)


def check_line(line: str, case: Case) -> None:
    """Check what is said of the mistake."""
    assert line.startswith("millstream: ")
    assert case.says in line
    assert len(line) <= MAX_LINE_LENGTH + len("millstream: ")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_wrong_input_is_one_line(case: Case, folder: Path, capsys, monkeypatch) -> None:
    """Expect exit code 2, nothing on stdout, one line on stderr, and no file made or changed."""
    before = sorted(folder.iterdir())
    code = end_of(case, folder, monkeypatch)
    out, err = capsys.readouterr()

    assert (code, out) == (case.code, "")
    [line] = err.splitlines()
    check_line(line, case)
    assert [path for path in sorted(folder.iterdir()) if path.name != "__pycache__"] == before
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES


@pytest.mark.parametrize("case", BEGUN, ids=lambda case: case.id)
def test_wrong_input_that_is_found_later_is_the_last_line(case: Case, folder: Path, capsys, monkeypatch) -> None:
    """Expect before it the counts of what became of the rest, and nothing else."""
    case = Case(f"{case.line} --brokers {NOWHERE} --log-level critical --poison p", case.says, case.code)
    code = end_of(case, folder, monkeypatch)
    out, err = capsys.readouterr()

    assert (code, out) == (case.code, "")
    *counts, line = err.splitlines()
    check_line(line, case)
    assert all(each.startswith("confirmed 0 poisoned ") for each in counts)
    assert len(counts) >= 1


@pytest.mark.parametrize("case", STATEMENTS, ids=lambda case: case.id)
def test_a_statement_that_is_wrong_is_one_line(case, folder, chdb_folder, database, capsys, monkeypatch) -> None:
    """Expect the reason of the store on one line, whatever lines the statement has."""
    monkeypatch.setenv("MILLSTREAM_CLICKHOUSE__DSN", f"chdb://{chdb_folder}")
    monkeypatch.setenv("MILLSTREAM_CLICKHOUSE__DATABASE", database)
    code = end_of(case, folder, monkeypatch)
    out, err = capsys.readouterr()

    assert (code, out) == (2, "")
    [line] = err.splitlines()
    check_line(line, case)


@pytest.mark.slow
def test_brokers_that_are_away_are_the_last_line(folder: Path, capsys, monkeypatch) -> None:
    """Expect exit code 5 once `delivery_timeout` is over, what was not confirmed, and that it is safe to repeat."""
    limit = {"MILLSTREAM_KAFKA__DELIVERY_TIMEOUT": "1"}
    case = Case(f"publish ok.ndjson --brokers {NOWHERE} --log-level critical", "no broker can be reached", 5, limit)
    code = end_of(case, folder, monkeypatch)
    *counts, line = capsys.readouterr().err.splitlines()

    assert code == 5
    check_line(line, case)
    assert line.endswith("run the same command again, it is safe to repeat")
    assert all(each.startswith("confirmed 0 poisoned 0") for each in counts)


@pytest.mark.parametrize("line", ["migrate", "run app:router", "config init", "demo --events 1"])
def test_a_current_folder_that_is_gone_is_one_line(line: str, folder: Path, capsys, monkeypatch) -> None:
    """Expect no traceback, whatever asks for it first."""
    monkeypatch.chdir(folder / "folder")
    (folder / "folder").rmdir()
    code = main(line.split())
    out, err = capsys.readouterr()

    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("millstream: ")


def test_every_command_has_its_rows() -> None:
    """Expect a command that is added to come with what can be wrong with it; that of a group may stand at one of its own."""
    lines = [case.line for case in (*CASES, *BEGUN, *STATEMENTS)]
    without = [words for words in ALL if words and not any(line.startswith(words) for line in lines)]

    assert without == []
    assert len(CASES) > 100


@pytest.mark.parametrize("words", [words for words in ALL if words])
def test_every_command_tells_of_an_option_that_is_none(words: str, folder: Path, capsys) -> None:
    """Expect the place to look it up in the same line, also from a command that is still to come."""
    code = run_main(*words.split(), "--frobnicate", folder=folder)
    out, err = capsys.readouterr()

    assert (code, out) == (2, "")
    assert err.startswith("millstream: No such option '--frobnicate'")
    assert err.endswith(f" see millstream {words} --help\n")
    assert err.count("\n") == 1
