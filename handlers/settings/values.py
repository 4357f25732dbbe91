"""Turning what was written into the type that a setting has."""

from __future__ import annotations

import types
from typing import Any, Literal, get_args, get_origin

import msgspec

MAX_NUMBER = 1e9
"""31 years as seconds: past about 9e9 no wait of Python's threads can be that long."""


class WrongValue(ValueError):
    """A value is not what its setting takes; the text says what it takes."""


def convert_value(value: Any, kind: Any) -> Any:
    """Return a value of a TOML file as *kind*, a type such as `int` or `float | None`.

    Raises:
        WrongValue: it is of another type, or no finite number.
    """
    return _convert(value, _without_none(kind), strict=True)


def convert_text(text: str, kind: Any) -> Any:
    """Return the text of an environment variable as *kind*; the items of a list are separated by commas.

    An empty text is `None` for a number that may be missing. For text it stays empty, so that the section's own check tells of
    it: a store's address that was not filled in must not become another store.

    Raises:
        WrongValue: it cannot be read as that.
    """
    inner = _without_none(kind)
    if inner is str:
        return text
    if inner is not kind and not text.strip():
        return None
    if get_origin(inner) is list:
        items = [item.strip() for item in text.split(",") if item.strip()]
        if text.strip() and not items:
            raise WrongValue(describe(inner))
        return _convert(items, inner, strict=False)
    return _convert(text.strip(), inner, strict=False)


def describe(kind: Any) -> str:
    """Return what a setting of this type takes, in words."""
    inner = _without_none(kind)
    if get_origin(inner) is Literal:
        return " or ".join(repr(each) for each in get_args(inner))
    if get_origin(inner) is list:
        [item] = get_args(inner)
        return 'a list of texts, such as ["one", "two"]' if item is str else f"a list, each {describe(item)}"
    if get_origin(inner) is dict:
        return "a table in a settings file"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return words[inner]


def unquoted_name(value: Any, kind: Any) -> str:
    """Return the dotted name that TOML took for tables in tables, if *kind* is a table of plain values; else an empty text."""
    if get_origin(kind) is not dict or not isinstance(value, dict):
        return ""
    for name, inner in value.items():
        names = [name]
        while isinstance(inner, dict) and inner:
            name, inner = next(iter(inner.items()))
            names.append(name)
        if len(names) > 1:
            return ".".join(names)
    return ""


def _convert(value: Any, kind: Any, *, strict: bool) -> Any:
    try:
        converted = msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError:
        raise WrongValue(describe(kind)) from None
    if isinstance(converted, float) and not abs(converted) <= MAX_NUMBER:  # not `>`: that lets nan pass
        raise WrongValue(f"a number of at most {MAX_NUMBER:g}")
    return converted


def _without_none(kind: Any) -> Any:
    if isinstance(kind, types.UnionType):
        return next(each for each in get_args(kind) if each is not types.NoneType)
    return kind
