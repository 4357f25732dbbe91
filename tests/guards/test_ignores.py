"""What a tool is told to pass over has a code and a reason."""

import io
import re
import tokenize

import pytest

from tests.guards.sources import Source

IGNORE = re.compile(r"#\s*type:\s*ignore|#\s*noqa")
WITH_REASON = re.compile(r"#\s*type: ignore\[[a-z-]+(, ?[a-z-]+)*\] # \S|#\s*noqa: [A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)* - \S")


def find_bare_ignores(source: Source) -> list[str]:
    """Return the comments of *source* that silence mypy or ruff without saying what and why."""
    if not IGNORE.search(source.text):
        return []
    comments = [
        each for each in tokenize.generate_tokens(io.StringIO(source.text).readline) if each.type == tokenize.COMMENT
    ]
    return [
        f"{source.name}:{each.start[0]}"
        for each in comments
        if IGNORE.search(each.string) and not WITH_REASON.search(each.string)
    ]


def test_every_ignore_names_its_code_and_its_reason(library: list[Source]) -> None:
    """Expect whoever reads an ignore to learn why it is right."""
    found = [fault for source in library for fault in find_bare_ignores(source)]

    assert found == []


@pytest.mark.parametrize(
    "comment", ["# type: ignore", "# type: ignore[arg-type]", "# noqa", "# noqa: S608", "# noqa: S608 quoted before"]
)
def test_a_bare_ignore_is_found(comment: str) -> None:
    """Expect the finder to name the line."""
    found = find_bare_ignores(Source.of("router/a.py", f"x = 1\ny = 2  {comment}\n"))

    assert found == ["router/a.py:2"]


@pytest.mark.parametrize(
    "comment", ["# type: ignore[arg-type] # what the driver says is wrong", "# noqa: S608 - quoted before", "# why so"]
)
def test_an_ignore_with_a_reason_passes(comment: str) -> None:
    """Expect the finder to report nothing."""
    found = find_bare_ignores(Source.of("router/a.py", f"x = 1  {comment}\n"))

    assert found == []
