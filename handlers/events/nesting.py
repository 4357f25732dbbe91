"""How deep the JSON of an event may go: a bound of our own, so that every interpreter says the same of one payload."""

import dataclasses
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

import msgspec

MAX_LEVELS = 250
"""How many arrays and objects may stand in one another as the value of one key; `properties` itself is the first.

Real events have fewer than 20. Measured in a call with little on its stack, msgspec and `json` go down 990 levels on CPython
3.11.7 (less what the caller's stack has used of them), 1,496 on 3.12.1, 9,998 on 3.13.0; ClickHouse goes down 1,000.
A quarter of the least leaves a caller on 3.11 some 700 frames.
"""

TOO_DEEP = f"nested too deeply: more than {MAX_LEVELS} levels"
"""The reason an event gets that goes further."""

SURELY_SHALLOW_BYTES = 2 * MAX_LEVELS + 120
"""No valid event this short is too deep: each level takes two bytes, the required fields and one more key take 120."""

_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # 1 and -1 to an array of signed bytes
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[{\]}]', re.DOTALL)


def may_be_too_deep(payload: bytes) -> bool:
    """Tell cheaply, wrong only towards True, whether sound JSON goes below `MAX_LEVELS`.

    The deepest value has a byte for each level on both sides; `find` passes a flat event in a fifth of what counting takes.
    """
    return (
        payload.find(b"[", MAX_LEVELS, -MAX_LEVELS) >= 0 or payload.find(b"{", MAX_LEVELS, -MAX_LEVELS) >= 0
    ) and payload.count(b"{") + payload.count(b"[") > MAX_LEVELS


def is_too_deep(payload: bytes) -> bool:
    """Tell of sound JSON whether a key of its outermost object goes below `MAX_LEVELS`. 20 ns a string or bracket."""
    # Without its escapes every quote begins or ends a string, and every second piece lies outside of them.
    pieces = payload.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2]
    steps = array("b", b"".join(pieces).translate(_STEPS, _NO_BRACKETS))
    return max(accumulate(steps), default=0) > MAX_LEVELS + 1


def value_is_too_deep(text: str, index: int) -> bool:
    """Tell whether the value that starts at *index* opens more than `MAX_LEVELS` before it ends, sound or not."""
    if not text.startswith(("[", "{"), index):
        return False
    level = 0
    for token in _STRING_OR_BRACKET.finditer(text, index):
        if token[0] in "[{":
            level += 1
            if level > MAX_LEVELS:
                return True
        elif token[0] in "]}":
            level -= 1
            if level == 0:
                return False
    return False


def values_below(text: str, level: int) -> list[tuple[int, int]]:
    """Return where each array or object begins and ends that has *level* of them around it; sound JSON or not."""
    found: list[tuple[int, int]] = []
    start = depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        if token[0] in "[{":
            if depth == level:
                start = token.start()
            depth += 1
        elif token[0] in "]}":
            depth -= 1
            if depth == level:
                found.append((start, token.end()))
    return found


def object_is_too_deep(value: object) -> bool:
    """Tell whether a Python value, as JSON, goes below `MAX_LEVELS`; one that holds itself does."""
    path: list[Iterator[object]] = [iter((value,))]
    while path:
        for inner in path[-1]:
            parts = _parts(inner)
            if parts is not None:
                path.append(iter(parts))
                break
        else:
            path.pop()
        if len(path) > MAX_LEVELS + 1:
            return True
    return False


def _parts(value: object) -> Iterable[object] | None:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, msgspec.Struct):
        return [getattr(value, name) for name in value.__struct_fields__]
    if dataclasses.is_dataclass(value):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]
    return None
