"""Statements, before they are sent."""

import pytest

from millstream.handlers.store.errors import QueryError
from millstream.handlers.store.statement import answers_rows, checked_statement, is_short, takes_format


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        pytest.param("SELECT 1", "SELECT 1", id="plain"),
        pytest.param("SELECT 1 ;\n", "SELECT 1", id="semicolon at the end"),
        pytest.param("SELECT 1; -- done; really", "SELECT 1", id="comment after the semicolon"),
        pytest.param("SELECT ';', `a;b`, \";\" /* ; */", "SELECT ';', `a;b`, \";\" /* ; */", id="quoted semicolons"),
        pytest.param("SELECT 'it''s;', 'a\\';'", "SELECT 'it''s;', 'a\\';'", id="quotes in strings"),
        pytest.param("SELECT $x$ ; $x$", "SELECT $x$ ; $x$", id="heredoc"),
        pytest.param("SELECT 'into outfile'", "SELECT 'into outfile'", id="words in a string"),
        pytest.param("SELECT format FROM t", "SELECT format FROM t", id="column called format"),
    ],
)
def test_one_statement_passes_without_its_semicolon(sql, sent):
    """A single statement is sent as written; strings, names and comments are not looked into."""
    statement = checked_statement(sql, read_only=True)

    assert statement == sent


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("", id="empty"),
        pytest.param(" -- nothing\n ;", id="comment only"),
        pytest.param("SELECT 1; DROP TABLE t", id="two statements"),
        pytest.param("SELECT ' ; ' ; DROP TABLE t --", id="second one after a quoted semicolon"),
        pytest.param("SELECT 1 INTO OUTFILE 'x'", id="file"),
        pytest.param("SELECT 1 into/* */\noutfile 'x'", id="file behind a comment"),
        pytest.param("SELECT 1 -- '\n INTO OUTFILE 'x'", id="file after a quote in a comment"),
        pytest.param("SELECT 1 FORMAT JSON;", id="output format"),
    ],
)
def test_what_the_engine_would_let_pass_is_refused(sql):
    """Several statements, files and output formats are the user's to mend before anything is sent."""
    with pytest.raises(QueryError):
        checked_statement(sql, read_only=True)


def test_writing_a_file_is_allowed_where_writing_is():
    """Outside of read-only mode INTO OUTFILE is the engine's to decide."""
    statement = checked_statement("SELECT 1 INTO OUTFILE 'x'", read_only=False)

    assert statement == "SELECT 1 INTO OUTFILE 'x'"


@pytest.mark.parametrize(
    ("sql", "answers"),
    [
        pytest.param("select 1", True, id="select"),
        pytest.param("-- why\n WITH 1 AS x SELECT x", True, id="with, after a comment"),
        pytest.param("((SELECT 1))", True, id="in brackets"),
        pytest.param("SHOW TABLES", True, id="show"),
        pytest.param("EXPLAIN SELECT 1", True, id="explain"),
        pytest.param("INSERT INTO t SELECT 1", False, id="insert"),
        pytest.param("DROP TABLE t", False, id="drop"),
        pytest.param("selection", False, id="longer word"),
    ],
)
def test_statements_that_answer_with_rows_are_told_apart(sql, answers):
    """The first word says whether there are rows to fetch."""
    answered = answers_rows(sql)

    assert answered is answers


@pytest.mark.parametrize(
    ("sql", "short"),
    [
        pytest.param("SHOW TABLES", True, id="show"),
        pytest.param("-- why\ndesc t", True, id="desc, after a comment"),
        pytest.param("EXISTS TABLE t", True, id="exists"),
        pytest.param("explain SELECT 1", True, id="explain"),
        pytest.param("CHECK TABLE t", True, id="check"),
        pytest.param("SELECT 1", False, id="select"),
        pytest.param("SELECT 'show'", False, id="show in a string"),
        pytest.param("shows", False, id="longer word"),
    ],
)
def test_statements_whose_answer_fits_in_memory_are_told_apart(sql, short):
    """An embedded engine streams no answer to them."""
    told = is_short(sql)

    assert told is short


@pytest.mark.parametrize(
    ("sql", "takes"),
    [
        pytest.param("EXPLAIN AST SELECT 1", False, id="AST"),
        pytest.param("explain/* */ast graph = 1 SELECT 1", False, id="AST behind a comment"),
        pytest.param("EXPLAIN SELECT 1", True, id="plan"),
        pytest.param("EXPLAIN astral", True, id="longer word"),
    ],
)
def test_explain_ast_takes_no_format(sql, takes):
    """It would count FORMAT to the statement that it explains."""
    told = takes_format(sql)

    assert told is takes
