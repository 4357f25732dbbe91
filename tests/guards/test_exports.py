"""`__init__` files re-export, and nothing else."""

import ast
import builtins
import importlib
import inspect
import re
from types import ModuleType

import pytest

from tests.guards.sources import Source

# Called once, to switch logging off (see test_silence.py).
NOT_EXPORTED = {"switch_off_by_default"}
ROOMS = ("router", "router.kafka", "router.testing", "middleware", "handlers", "handlers.testing")
"""Where users import from, beside `millstream` itself."""
OF_OTHERS = {"ContextPreserved", "Decimal", "InsertQuery"}
"""Names of Go, Python and ClickHouse that stand in our docstrings."""
POINTER = re.compile(r"`([A-Z]+[a-z]\w*)[`.(]|^ +((?:[A-Z]\w+, )*[A-Z]\w+): ", re.MULTILINE)
"""What a docstring names: a class in backticks, and the errors of a `Raises`."""


def find_other_code(source: Source) -> list[str]:
    """Return the statements of an `__init__` that are more than the docstring, imports and names of its own."""

    def is_allowed(node: ast.stmt) -> bool:
        if isinstance(node, ast.Assign):
            return all(isinstance(each, ast.Name) and each.id in {"__all__", "__version__"} for each in node.targets)
        if isinstance(node, ast.Expr):
            return isinstance(node.value, ast.Constant) or ast.unparse(node) == "switch_off_by_default()"
        return isinstance(node, (ast.Import, ast.ImportFrom))

    return [f"{source.name}:{node.lineno}" for node in source.tree.body if not is_allowed(node)]


def find_export_faults(source: Source) -> list[str]:
    """Return the names that an `__init__` imports without exporting them, or exports without having them."""
    exported: set[str] | None = None
    bound: set[str] = set()
    for node in source.tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= {each.asname or each.name for each in node.names}
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            exported = set(ast.literal_eval(node.value))
        elif isinstance(node, ast.Assign):
            bound |= {ast.unparse(each) for each in node.targets}
    if exported is None:
        return [f"{source.name}: no __all__"]
    public = {name for name in bound if not name.startswith("_")} - NOT_EXPORTED
    faults = [f"{source.name}: {name} is not in __all__" for name in sorted(public - exported)]
    return faults + [f"{source.name}: {name} is in __all__ only" for name in sorted(exported - bound)]


def test_init_files_only_re_export(library: list[Source]) -> None:
    """Expect no function, class or other code in any `__init__`."""
    found = [fault for source in library if source.is_package for fault in find_other_code(source)]

    assert found == []


def test_all_names_what_is_importable(library: list[Source]) -> None:
    """Expect `__all__` of every package to be what it imports, and every name in it to be there at run time."""
    packages = [source for source in library if source.is_package]
    faults = [fault for source in packages for fault in find_export_faults(source)]
    modules = [importlib.import_module(source.module) for source in packages]
    absent = [
        (each.__name__, name) for each in modules for name in getattr(each, "__all__", ()) if not hasattr(each, name)
    ]

    assert faults == []
    assert absent == []


@pytest.mark.parametrize(
    "text", ["def f(): ...", "class C: ...", "x = 1", "logger.enable('millstream')", "if x: import y"]
)
def test_code_in_an_init_is_found(text: str) -> None:
    """Expect the finder to name the line of anything that is not a re-export."""
    found = find_other_code(
        Source.of("router/__init__.py", f'"""Docstring."""\nfrom .a import b\n__all__ = ["b"]\n{text}\n')
    )

    assert found == ["router/__init__.py:4"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("from .a import b, c\n__all__ = ['b']", "c is not in __all__", id="not-exported"),
        pytest.param("from .a import b\n__all__ = ['b', 'c']", "c is in __all__ only", id="not-imported"),
        pytest.param("from .a import b", "no __all__", id="no-all"),
    ],
)
def test_a_wrong_all_is_found(text: str, fault: str) -> None:
    """Expect the finder to name what is exported and imported differently."""
    found = find_export_faults(Source.of("router/__init__.py", text))

    assert found == [f"router/__init__.py: {fault}"]


def find_public_things(room: ModuleType) -> dict[str, object]:
    """Return what *room* exports; of a module that says nothing of it, what it has made."""
    made = [name for name, each in vars(room).items() if getattr(each, "__module__", "") == room.__name__]
    names = getattr(room, "__all__", [name for name in made if not name.startswith("_")])
    return {name: getattr(room, name) for name in names}


def find_pointers(thing: object) -> set[str]:
    """Return the classes that the docstrings of *thing* and of its public methods name."""
    members = [each for name, each in vars(thing).items() if not name.startswith("_")] if inspect.isclass(thing) else []
    texts = (inspect.getdoc(each) or "" for each in (thing, *members) if callable(each) or isinstance(each, property))
    pairs = (pair for text in texts for pair in POINTER.findall(text))
    return {name for in_backticks, errors in pairs for name in [in_backticks, *errors.split(", ")] if name}


def test_what_public_docstrings_name_can_be_imported() -> None:
    """Expect a room that users know to have whatever they are sent to, such as `ProcessBatch` by `help(MessageBatcher)`."""
    rooms = [importlib.import_module(f"millstream.{room}") for room in ROOMS]
    public = {name: thing for room in rooms for name, thing in find_public_things(room).items()}
    named = {(where, name) for where, thing in public.items() for name in find_pointers(thing)}

    assert sorted(each for each in named if each[1] not in {*public, *OF_OTHERS, *vars(builtins)}) == []
    assert {("MessageBatcher", "ProcessBatch"), ("ClickHouseTable", "ViewFailed")} <= named
