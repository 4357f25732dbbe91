"""What settings mean, read off the docstrings of their sections: each is said in one place."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache

import msgspec

_ENTRY = re.compile(r"    (\w+(?:, \w+)*): (.*)")
"""One or several names and the beginning of what is said of them, below `Args:`."""


@cache
def documentation(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return what the docstring of a section says of each of its keys, in one line each.

    Empty where Python runs without docstrings.
    """
    return dict(_entries(inspect.getdoc(kind) or ""))


def _entries(text: str) -> Iterator[tuple[str, str]]:
    _, _, rest = text.partition("\nArgs:\n")
    names: list[str] = []
    words: list[str] = []
    for line in rest.splitlines():
        if line and not line.startswith("    "):
            break  # the next part, such as `Raises:`
        if found := _ENTRY.fullmatch(line):
            yield from _said(names, words)
            names, words = found[1].split(", "), [found[2]]
        else:
            words.append(line.strip())
    yield from _said(names, words)


def _said(names: list[str], words: list[str]) -> Iterator[tuple[str, str]]:
    text = " ".join(" ".join(words).split())
    return ((name, text) for name in names)
