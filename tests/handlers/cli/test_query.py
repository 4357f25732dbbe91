"""`millstream query` on a real embedded store."""

from pathlib import Path

import pytest

from millstream.handlers.cli.query import query
from tests.handlers.cli.command_aids import run
from tests.handlers.cli.embedded_place import Place

VALUES = """SELECT 18446744073709551615 AS big, toDecimal128('1.10', 2) AS decimal, 0.1 AS float, 'tab\\there, "q"' AS text,
 CAST(NULL AS Nullable(String)) AS missing, toDateTime64('2015-05-17 10:05:03.123', 3, 'UTC') AS time, [1, 2] AS list"""

ROUND_TRIPS = [
    pytest.param(
        "tsv", '18446744073709551615\t1.1\t0.1\ttab\\there, "q"\t\\N\t2015-05-17 10:05:03.123\t[1,2]\n', id="tsv"
    ),
    pytest.param(
        "csv", '18446744073709551615,1.1,0.1,"tab\there, ""q""",\\N,"2015-05-17 10:05:03.123","[1,2]"\n', id="csv"
    ),
    pytest.param(
        "jsonl",
        '{"big":18446744073709551615,"decimal":1.1,"float":0.1,"text":"tab\\there, \\"q\\"","missing":null,'
        '"time":"2015-05-17 10:05:03.123","list":[1,2]}\n',
        id="jsonl",
    ),
]

REFUSED = [
    pytest.param("SELEC 1", id="wrong SQL"),
    pytest.param("SELECT * FROM no_such_table", id="unknown table"),
    pytest.param("CREATE TABLE made (n Int8) ENGINE = Memory", id="CREATE"),
    pytest.param("DROP TABLE kept", id="DROP"),
    pytest.param("INSERT INTO kept VALUES (1)", id="INSERT"),
    pytest.param("SHOW TABLES INTO OUTFILE 'made.tsv'", id="SHOW into a file"),
    pytest.param("SHOW CREATE TABLE no_such_table", id="SHOW CREATE of nothing"),
    pytest.param("EXPLAIN AST SELEC 1", id="EXPLAIN of wrong SQL"),
    pytest.param("SELECT 1 INTO OUTFILE 'made.tsv'", id="INTO OUTFILE"),
    pytest.param("SELECT 1 SETTINGS readonly = 0; DROP TABLE kept", id="two statements"),
    pytest.param("SET readonly = 0", id="SET"),
    pytest.param("", id="nothing"),
    pytest.param("SELECT throwIf(number = 3) FROM numbers(5)", id="an error half-way"),
]

SHORT = [
    pytest.param("SHOW TABLES", '"kept"\n', id="SHOW TABLES"),
    pytest.param("EXISTS kept", "1\n", id="EXISTS"),
    pytest.param("EXISTS TABLE {database}.missing;", "0\n", id="EXISTS, not there"),
    pytest.param("DESCRIBE kept", '"n","Int8","","","","",""\n', id="DESCRIBE"),
    pytest.param("/* columns */\nDESC TABLE kept -- all", '"n","Int8","","","","",""\n', id="DESC in comments"),
    pytest.param("-- tables\nSHOW TABLES", '"kept"\n', id="a comment first"),
    pytest.param("EXPLAIN SYNTAX SELECT 1 AS n", '"SELECT 1 AS n\nFROM system.one"\n', id="EXPLAIN SYNTAX"),
    pytest.param("EXPLAIN AST SELECT 'it''s'", "SelectWithUnionQuery (children 1)", id="EXPLAIN AST"),
    pytest.param("EXPLAIN SELECT n FROM kept", "Read", id="EXPLAIN"),
    pytest.param("SHOW CREATE TABLE kept", "CREATE TABLE {database}.kept\n(\n    `n` Int8\n)", id="SHOW CREATE"),
    pytest.param("SHOW CREATE DATABASE {database}", "CREATE DATABASE {database}", id="SHOW CREATE DATABASE"),
    pytest.param("SHOW SETTINGS LIKE 'readonly'", '"readonly",', id="SHOW SETTINGS"),
]


COMMENTS = ["-- one\nSELECT 1", "--one\nSELECT 1", "--a=b, c\nSELECT 1", "-- SELECT 1", "--format\tx\nSELECT 1"]


@pytest.mark.parametrize("sql", COMMENTS)
@pytest.mark.parametrize("place", [0, 2, 3])
def test_sql_that_begins_with_a_comment_is_no_option(sql, place) -> None:
    """Wherever it stands among the options, which are still read."""
    arguments = ["--format", "csv", "--write"]
    arguments.insert(place, sql)
    read = query.make_context("query", arguments).params

    assert (read["sql"].strip(), read["output_format"], read["write"]) == (sql, "csv", True)


@pytest.mark.parametrize("sql", ["-", "SELECT 1", "SELECT -1 -- one", "/* one */ SELECT 1"])
def test_options_may_have_spaces_in_their_values(sql, tmp_path) -> None:
    """They are no SQL; any other SQL is what it was, and so is the end of the options."""
    path = tmp_path / "my settings.toml"
    for arguments in ([f"--config={path}", sql], [sql, "--config", str(path)], [f"--config={path}", "--", sql]):
        read = query.make_context("query", arguments).params

        assert (read["sql"], read["config"]) == (sql, path)


@pytest.mark.parametrize(("form", "line"), ROUND_TRIPS)
def test_values_come_back_as_the_store_writes_them(place: Place, capsysbinary, form: str, line: str) -> None:
    """One line for one row, no header, nothing else on stdout or stderr."""
    code = place.run("query", VALUES, "--format", form)
    out, err = capsysbinary.readouterr()

    assert (code, out.decode(), err) == (0, line, b"")


def test_a_table_shows_names_and_values(place: Place, capsys) -> None:
    """Numbers as the store has them, text without quotes, nothing that a terminal would obey."""
    code = place.run("query", VALUES.replace("tab", "\x1b[31m"), "--format", "table")
    lines = capsys.readouterr().out.splitlines()

    assert code == 0
    assert lines[0].split() == ["big", "decimal", "float", "text", "missing", "time", "list"]
    assert "18446744073709551615" in lines[2]
    assert r'\x1b[31m\there, "q"' in lines[2]
    assert "NULL" in lines[2]
    assert "2015-05-17 10:05:03.123" in lines[2]


def test_text_in_brackets_is_no_markup(place: Place, capsys) -> None:
    """What is stored is shown, also where it looks like an instruction to the one who draws the table."""
    place.run("query", "SELECT '[red]x[/red] :smile:' AS \"[b]name[/b]\"", "--format", "table")
    out = capsys.readouterr().out

    assert "[red]x[/red] :smile:" in out
    assert "[b]name[/b]" in out


def test_a_table_does_not_break_a_row_where_it_is_no_terminal(place: Place, capsys) -> None:
    """A long value stays on the line of its row."""
    place.run("query", "SELECT repeat('x', 5000) AS long", "--format", "table")
    out = capsys.readouterr().out

    assert "x" * 5000 in out


def test_a_long_table_is_cut_with_a_note(place: Place, capsys) -> None:
    """The first 1,000 rows are on stdout, the note on stderr; the rest of a huge answer is not waited for."""
    code = place.run("query", "SELECT number FROM numbers(100000000000)", "--format", "table")
    out, err = capsys.readouterr()

    assert code == 0
    assert out.split()[-1] == "999"
    assert err == "millstream: these are the first 1,000 rows; --format tsv writes all\n"


def test_a_table_of_exactly_the_limit_is_whole(place: Place, capsys) -> None:
    """There is no note about rows that do not exist."""
    place.run("query", "SELECT number FROM numbers(1000)", "--format", "table")
    out, err = capsys.readouterr()

    assert (out.split()[-1], err) == ("999", "")


def test_an_empty_table_says_so(place: Place, capsys) -> None:
    """Stdout stays empty."""
    code = place.run("query", "SELECT 1 WHERE 0", "--format", "table")

    assert code == 0
    assert capsys.readouterr() == ("", "millstream: no rows\n")


@pytest.mark.parametrize(("sql", "answer"), SHORT)
def test_what_is_asked_about_the_store_is_answered(place: Place, capsys, sql: str, answer: str) -> None:
    """SHOW, DESCRIBE, EXISTS and EXPLAIN work on an embedded store too, in every format, and read only."""
    place.store.command(f"CREATE TABLE {place.database}.kept (n Int8) ENGINE = Memory")
    sql, answer = sql.format(database=place.database), answer.format(database=place.database)
    codes, outs = [], []
    for form in ("csv", "tsv", "jsonl", "table", "vertical"):
        codes.append(place.run("query", sql, "--format", form))
        outs.append(capsys.readouterr().out)

    assert codes == [0] * 5
    assert outs[0] == answer if answer.endswith("\n") else answer in outs[0]
    assert all(out.strip() for out in outs)


@pytest.mark.parametrize("sql", REFUSED)
def test_a_statement_that_is_wrong_or_writes_is_refused(place: Place, capsysbinary, sql: str) -> None:
    """Exit code 2, one line, nothing on stdout, and nothing has changed."""
    place.store.command(f"CREATE TABLE {place.database}.kept (n Int8) ENGINE = Memory")
    code = place.run("query", sql, "--format", "csv")
    out, err = capsysbinary.readouterr()
    tables = place.store.query(f"SELECT name, total_rows FROM system.tables WHERE database = '{place.database}'").rows

    assert (code, out) == (2, b"")
    assert len(err.splitlines()) == 1
    assert err.startswith(b"millstream: ")
    assert (b"--write" in err) == (b"readonly" in err)
    assert tables == [("kept", 0)]
    assert [path.name for path in place.folder.iterdir()] == ["millstream.toml"]


def test_writing_is_allowed_when_asked_for(place: Place, capsysbinary) -> None:
    """`--write` lets a statement change the database of the settings; it answers nothing."""
    codes = [
        place.run("query", "--write", "CREATE TABLE made (n Int8) ENGINE = Memory"),
        place.run("query", "--write", "INSERT INTO made VALUES (1), (2)"),
        place.run("query", "SELECT sum(n) FROM made"),
    ]

    assert codes == [0, 0, 0]
    assert capsysbinary.readouterr() == (b"3\n", b"")


@pytest.mark.slow
def test_a_statement_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    """One line, before any store is looked for."""
    done = run("query", "-", cwd=tmp_path, stdin=b"SELECT '\xff'")

    assert (done.returncode, done.stderr) == (2, b"millstream: the SQL on standard input is not UTF-8\n")
