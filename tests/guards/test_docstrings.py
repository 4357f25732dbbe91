"""Everything public says what it is for; every test says what it expects."""

import ast

import pytest

from tests.guards.sources import Source, find_public, read_all


def find_undocumented(source: Source) -> list[str]:
    """Return the public names of *source* without a docstring, and the module itself if it has none."""
    found = [] if ast.get_docstring(source.tree) else [source.name]
    for name, node in find_public(source):
        decorators = {ast.unparse(each).rpartition(".")[2] for each in getattr(node, "decorator_list", [])}
        if not decorators & {"overload", "setter", "override"} and not ast.get_docstring(node):
            found.append(f"{source.name}: {name}")
    return found


def find_silent_tests(source: Source) -> list[str]:
    """Return the test functions of *source* without a docstring."""
    # Not by `ast.walk`: to look at each name and number of all tests takes as long as a tenth of them.
    bodies = [source.tree, *(node for node in source.tree.body if isinstance(node, ast.ClassDef))]
    functions = [node for each in bodies for node in each.body if isinstance(node, ast.FunctionDef)]
    return [
        f"{source.name}: {each.name}"
        for each in functions
        if each.name.startswith("test_") and not ast.get_docstring(each)
    ]


def test_every_public_name_has_a_docstring(library: list[Source]) -> None:
    """Expect no public module, class, function or method of the library without a docstring."""
    found = [name for source in library for name in find_undocumented(source)]

    assert found == []


@pytest.mark.slow
def test_every_test_says_what_it_expects() -> None:
    """Expect no test function without a docstring."""
    found = [name for source in read_all("tests") for name in find_silent_tests(source)]

    assert found == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("x = 1", "router/delivery/hold.py", id="module"),
        pytest.param('"""M."""\ndef f(): ...', "router/delivery/hold.py: f", id="function"),
        pytest.param('"""M."""\nclass C: ...', "router/delivery/hold.py: C", id="class"),
        pytest.param(
            '"""M."""\nclass C:\n    """C."""\n    async def m(self): ...', "router/delivery/hold.py: C.m", id="method"
        ),
        pytest.param(
            '"""M."""\nclass C:\n    """C."""\n    @property\n    def p(self): ...',
            "router/delivery/hold.py: C.p",
            id="property",
        ),
    ],
)
def test_a_missing_docstring_is_found(text: str, name: str) -> None:
    """Expect the finder to name what lacks a docstring."""
    found = find_undocumented(Source.of("router/delivery/hold.py", text))

    assert found == [name]


@pytest.mark.parametrize(
    "text", ["def _f(): ...", "class _C:\n    def m(self): ...", "def f():\n    'F.'\n    def g(): ..."]
)
def test_private_names_need_no_docstring(text: str) -> None:
    """Expect the finder to pass over private names and functions inside functions."""
    found = find_undocumented(Source.of("router/delivery/hold.py", f'"""M."""\n{text}'))

    assert found == []


def test_a_test_without_docstring_is_found() -> None:
    """Expect the finder to name the test, also inside a class."""
    found = find_silent_tests(
        Source.of("tests/test_x.py", "class TestX:\n    def test_x(self): ...\n    def helper(self): ...")
    )

    assert found == ["tests/test_x.py: test_x"]
