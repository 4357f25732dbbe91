"""Files and functions stay short enough to be read in one go."""

import ast
import statistics

from tests.guards.sources import Source

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 35  # without the docstring, which may be as long as it has to be
MAX_MEDIAN_LINES = 90


def find_long(source: Source) -> list[str]:
    """Return *source* if the file is too long, and its functions that are."""
    lines = source.text.count("\n")
    found = [f"{source.name}: {lines} lines"] if lines > MAX_FILE_LINES else []
    for node in source.nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = node.body[0] if ast.get_docstring(node) else None
            lines = _lines_of(node) - (_lines_of(docstring) if docstring else 0)
            if lines > MAX_FUNCTION_LINES:
                found.append(f"{source.name}: {node.name} has {lines} lines")
    return found


def _lines_of(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_file_and_no_function_is_too_long(library: list[Source]) -> None:
    """Expect every file and every function of the library to be within its limit."""
    found = [fault for source in library for fault in find_long(source)]

    assert found == []


def test_files_are_short_on_the_whole(library: list[Source]) -> None:
    """Expect half of the files to be read at a glance."""
    lines = [source.text.count("\n") for source in library]

    assert statistics.median(lines) <= MAX_MEDIAN_LINES


def test_a_long_file_is_found() -> None:
    """Expect the finder to name a file one line over the limit, and none at the limit."""
    found = find_long(Source.of("router/a.py", "x = 1\n" * (MAX_FILE_LINES + 1)))
    passed = find_long(Source.of("router/a.py", "x = 1\n" * MAX_FILE_LINES))

    assert found == [f"router/a.py: {MAX_FILE_LINES + 1} lines"]
    assert passed == []


def test_a_long_function_is_found() -> None:
    """Expect the finder to name a method one line over the limit, and none at the limit."""
    method = 'class C:\n    def m(self):\n        """M.\n        """\n' + "        x = 1\n" * MAX_FUNCTION_LINES
    found = find_long(Source.of("router/a.py", method))
    passed = find_long(Source.of("router/a.py", method.removesuffix("        x = 1\n")))

    assert found == [f"router/a.py: m has {MAX_FUNCTION_LINES + 1} lines"]
    assert passed == []
