"""Answers that come in one piece, in the format that was asked for."""

import pytest

from millstream.handlers.store.protocols import LineFormat
from millstream.handlers.store.short_answers import short_answer

PLAN = b"SelectQuery\n Literal \\'a\\tb\\\\\"\\'\n"


class Engine:
    """Notes which format it is asked for, and answers with the lines of a syntax tree."""

    def raw_query(self, query, *, settings, fmt=None):
        """Return the same lines whatever is asked."""
        self.asked = (query, settings, fmt)
        return PLAN


@pytest.mark.parametrize("line_format", LineFormat)
def test_the_engine_writes_the_format_where_it_can(line_format):
    """Its bytes are passed on as they are."""
    engine = Engine()
    answer = short_answer(engine, "SHOW TABLES", {"readonly": 1}, line_format)

    assert engine.asked == ("SHOW TABLES", {"readonly": 1}, line_format.value)
    assert answer == PLAN


@pytest.mark.parametrize(
    ("line_format", "lines"),
    [
        pytest.param(LineFormat.TSV, PLAN, id="tsv"),
        pytest.param(LineFormat.CSV, b'"SelectQuery"\n" Literal \'a\tb\\""\'"\n', id="csv"),
        pytest.param(
            LineFormat.JSONL, b'{"explain":"SelectQuery"}\n{"explain":" Literal \'a\\tb\\\\\\"\'"}\n', id="jsonl"
        ),
    ],
)
def test_the_lines_of_a_syntax_tree_are_written_anew(line_format, lines):
    """The engine is asked for no format, and what it escaped is text again."""
    engine = Engine()
    answer = short_answer(engine, "EXPLAIN AST SELECT 1", {}, line_format)

    assert engine.asked[2] is None
    assert answer == lines
