"""The files that the guards look at."""

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its *name* as seen from the root of the repository, its text, its syntax tree and every node of that."""

    name: str
    text: str
    tree: ast.Module
    nodes: tuple[ast.AST, ...]

    @classmethod
    def of(cls, name: str, text: str) -> "Source":
        """Return *text* as the file *name*."""
        tree = ast.parse(text)
        return cls(name, text, tree, tuple(ast.walk(tree)))

    @property
    def module(self) -> str:
        """The name under which the file is imported: for an `__init__`, that of its package."""
        parts = Path(self.name).with_suffix("").parts
        parts = parts if parts[0] == "millstream" else ("millstream", *parts)
        return ".".join(parts).removesuffix(".__init__")

    @property
    def is_package(self) -> bool:
        """Whether the file is an `__init__`."""
        return self.name.endswith("__init__.py")


def read_all(*folders: str) -> list[Source]:
    """Return every Python file below *folders* of the repository, each once: the links of `millstream/` are not followed."""
    files = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    links = [path for path in (ROOT / "millstream").iterdir() if path.is_symlink()]
    own = [path for path in files if not any(path.is_relative_to(link) for link in links)]
    return [Source.of(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in own]


def find_public(source: Source) -> list[tuple[str, ast.AST]]:
    """Return the public classes, functions and methods of *source*, by their dotted name."""
    found: list[tuple[str, ast.AST]] = []

    def walk(prefix: str, body: list[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith(
                "_"
            ):
                found.append((f"{prefix}{node.name}", node))
                if isinstance(node, ast.ClassDef):
                    walk(f"{prefix}{node.name}.", node.body)

    walk("", source.tree.body)
    return found
