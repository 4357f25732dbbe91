"""Who imports what: read from the syntax tree, so that imports inside functions and under TYPE_CHECKING count as well."""

import ast
from collections.abc import Collection, Iterable, Iterator

from tests.guards.sources import Source

ROOMS = ("millstream.router", "millstream.middleware", "millstream.handlers")


def find_imports(source: Source, modules: Collection[str] = ()) -> Iterator[tuple[int, str]]:
    """Yield the line and the absolute name of every module that *source* imports.

    Args:
        modules: the modules there are; `from package import name` counts as `package.name` if that is one of them.
    """
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve(source, node)
            for each in node.names:
                full = f"{base}.{each.name}"
                yield node.lineno, full if full in modules else base
        elif isinstance(node, ast.Call) and _name(node.func) in {"__import__", "import_module"}:
            names = (each.value for each in node.args[:1] if isinstance(each, ast.Constant))
            yield from ((node.lineno, str(name)) for name in names)


def _name(function: ast.expr) -> str | None:
    """Return by what name a function is called, without what stands before it."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)


def resolve(source: Source, node: ast.ImportFrom) -> str:
    """Return the absolute name of the module that *node*, a line of *source*, imports from."""
    if not node.level:
        return node.module or ""
    parts = source.module.split(".")
    up = node.level - 1 if source.is_package else node.level
    return ".".join([*parts[: len(parts) - up], *([node.module] if node.module else [])])


def is_in(module: str, package: str) -> bool:
    """Tell whether *module* is *package* or lies in it."""
    return module == package or module.startswith(f"{package}.")


def find_bare_rooms(modules: Iterable[str]) -> list[str]:
    """Return those of the imported *modules* that are a room or lie in one, without `millstream.` before it."""
    rooms = [room.removeprefix("millstream.") for room in ROOMS]
    return sorted(module for module in modules if any(is_in(module, room) for room in rooms))
