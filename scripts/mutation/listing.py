"""The list of mutants, read from its file."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class ListError(Exception):
    """The list of mutants cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way to break one guarantee, and the tests that must notice."""

    guard: str
    file: str
    text: str
    replacement: str
    tests: tuple[str, ...]
    reason: str | None = None


def read_list(path: Path) -> tuple[str, list[Mutant]]:
    """Return the package under test and the mutants that *path* names; raise ListError when it cannot be used."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ListError(f"{path.name}: {error}") from error
    package = content.get("package")
    if not isinstance(package, str) or not package.isidentifier():
        raise ListError(f"{path.name}: `package` must name the package under test")
    return package, [_mutant(path.name, number, table) for number, table in enumerate(content.get("mutant", []), 1)]


def read_preload(path: Path) -> list[str]:
    """Return the modules of others that most tests import, which `preload` in *path* may name."""
    preload = tomllib.loads(path.read_text(encoding="utf-8")).get("preload", [])
    if not isinstance(preload, list) or not all(isinstance(name, str) for name in preload):
        raise ListError(f"{path.name}: `preload` must be a list of modules")
    return preload


def _mutant(source: str, number: int, table: dict[str, Any]) -> Mutant:
    """Return the mutant that *table*, the one with *number* in its file, describes."""
    fields = ("guard", "file", "text", "replacement")
    tests = table.get("test")
    tests = [tests] if isinstance(tests, str) else tests
    if set(table) - {"reason"} != {*fields, "test"} or not all(isinstance(table[each], str) for each in fields):
        raise ListError(f"{source}: mutant {number} must have the strings {', '.join(fields)}, and test")
    if not isinstance(tests, list) or not tests or not all(isinstance(test, str) for test in tests):
        raise ListError(f"{source}: mutant {number}: `test` must be a pytest node id or a list of them")
    if table["text"] == table["replacement"]:
        raise ListError(f"{source}: mutant {number} changes nothing")
    reason = table.get("reason")
    try:
        re.compile("" if reason is None else reason)
    except (TypeError, re.error) as error:
        raise ListError(f"{source}: mutant {number}: `reason` must be a regular expression: {error}") from error
    return Mutant(table["guard"], table["file"], table["text"], table["replacement"], tuple(tests), reason)


def choose(mutants: Sequence[Mutant], words: str) -> list[Mutant]:
    """Return those of *mutants* that mention *words*, in any case of letters; raise ListError when none does."""
    chosen = [each for each in mutants if words.lower() in "\n".join((each.guard, each.file, *each.tests)).lower()]
    if not chosen:
        raise ListError(f"no mutant mentions {words!r}" if words else "the list holds no mutant")
    return chosen
