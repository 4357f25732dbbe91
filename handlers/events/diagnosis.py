"""Why a payload is no event: the slow way, taken once per refused message.

msgspec's word is taken for types and required fields. For what is no JSON it knows at best a position, so the top level is
walked here again, member by member, with the standard library's parser: the field is the member at whose text it stops.
Bytes that are not UTF-8 are smuggled through that walk as lone surrogates (`surrogateescape`).

Nesting is looked for first, in the text alone: what stops msgspec in a deep payload, the depth or a later fault, is the
interpreter's affair. `json` then never meets a value that is too deep.
"""

import json
import re
from collections.abc import Iterator
from typing import NoReturn

import msgspec

from .event import InvalidEvent
from .instant import explain_refusal
from .nesting import TOO_DEEP, is_too_deep, value_is_too_deep

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_AT_FIELD = re.compile(r"(.*) - at `\$\.(\w+)`")
_EXPECTED_GOT = re.compile(r"Expected `(.*?)`, got `(\w+)`")
_BLANK = re.compile(r"[ \t\r\n]*")
_SMUGGLED_BYTE = re.compile("[\udc80-\udcff]")
# Every escape is consumed in turn, so that in `\\ud800` the second backslash starts none. A whole pair is taken first.
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<lone>u[dD][89a-fA-F])|.)")

_NAMED_KEY_CHARACTERS = 64
"""How much of an unknown key a reason repeats: enough to find it, too little to flood a log."""


class _NotANumber(Exception):
    pass


def _refuse_constant(name: str) -> NoReturn:
    raise _NotANumber(name)


# Numbers stay text: int() refuses more than 4,300 digits, which JSON does not.
_walker = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=str, parse_float=str)


def diagnose(payload: bytes, error: Exception) -> InvalidEvent:
    """Say which field of *payload* made decoding end with *error*, and why.

    Raises:
        RecursionError: *error* itself, when nothing is wrong with the payload: the caller's stack was at its end.
    """
    if payload.startswith(_BYTE_ORDER_MARK):
        return InvalidEvent(None, "starts with a byte order mark")
    if too_deep := find_too_deep(payload):
        return too_deep
    if isinstance(error, msgspec.ValidationError):
        return _explain_validation(str(error), payload)
    try:
        _walk(payload.decode("utf-8", "surrogateescape"))
    except InvalidEvent as found:
        return found
    if isinstance(error, RecursionError):
        raise error
    return InvalidEvent(None, f"malformed JSON: {error}")


def find_too_deep(payload: bytes) -> InvalidEvent | None:
    """Name the first key of *payload* that is nested too deeply, unless the JSON breaks off before it."""
    if not is_too_deep(payload):
        return None
    try:
        for _ in _members(payload.decode("utf-8", "surrogateescape")):
            pass
    except InvalidEvent as found:
        return found if found.reason == TOO_DEEP else None
    return None


def _explain_validation(text: str, payload: bytes) -> InvalidEvent:
    if missing := _MISSING.match(text):
        return InvalidEvent(missing[1], "missing")
    at_field = _AT_FIELD.match(text)
    if at_field is None:
        return InvalidEvent(None, _expected_got(text))
    reason, field = at_field.groups()
    if "length >= 1" in reason:
        return InvalidEvent(field, "empty")
    if "timezone" in reason:
        return InvalidEvent(field, "has no zone; write Z or an offset such as +05:30")
    if "RFC3339" in reason:
        return InvalidEvent(field, explain_refusal(payload))
    return InvalidEvent(field, _expected_got(reason))


def _expected_got(text: str) -> str:
    match = _EXPECTED_GOT.match(text)
    return text if match is None else f"expected {match[1].replace(' | ', ' or ')}, got {match[2]}"


def _walk(text: str) -> None:
    if _after_blank(text, 0) == len(text):
        raise InvalidEvent(None, "empty")
    for start, key_end, value_start, value_end, key in _members(text):
        _refuse_bad_text(text, start, key_end, key)
        _refuse_bad_text(text, value_start, value_end, key)


def _members(text: str) -> Iterator[tuple[int, int, int, int, str]]:
    """Yield where each top-level key and value starts and ends, and the key; raise `InvalidEvent` where JSON ends."""
    index = _after_mark(text, _after_blank(text, 0), "{", None)
    if text.startswith("}", index):
        index += 1
    else:
        while True:
            start = index
            if not text.startswith('"', index):
                raise _malformed(text, index, "expected a key in double quotes", None)
            key, key_end = _read(text, index, None)
            field = _printable(key)
            value_start = _after_mark(text, _after_blank(text, key_end), ":", field)
            _, value_end = _read(text, value_start, field)
            yield start, key_end, value_start, value_end, field
            index = _after_blank(text, value_end)
            if text.startswith("}", index):
                index += 1
                break
            index = _after_mark(text, index, ",", None)
    index = _after_blank(text, index)
    if index != len(text):
        raise _malformed(text, index, "more text after the object", None)


def _read(text: str, index: int, field: str | None) -> tuple[str, int]:
    if value_is_too_deep(text, index):
        raise InvalidEvent(field, TOO_DEEP)
    try:
        value, end = _walker.raw_decode(text, index)
    except json.JSONDecodeError as error:
        raise _malformed(text, error.pos, error.msg.lower(), field) from error
    except _NotANumber as error:
        raise InvalidEvent(field, f"{error} is not JSON") from error
    return value, end


def _refuse_bad_text(text: str, start: int, end: int, field: str) -> None:
    if smuggled := _SMUGGLED_BYTE.search(text, start, end):
        raise InvalidEvent(field, f"not UTF-8 at byte {_byte_offset(text, smuggled.start())}")
    for escape in _ESCAPE.finditer(text, start, end):
        if escape["lone"]:
            raise InvalidEvent(field, f"lone surrogate at byte {_byte_offset(text, escape.start())}")


def _after_blank(text: str, index: int) -> int:
    match = _BLANK.match(text, index)
    return index if match is None else match.end()


def _after_mark(text: str, index: int, mark: str, field: str | None) -> int:
    if not text.startswith(mark, index):
        raise _malformed(text, index, f"expected '{mark}'", field)
    return _after_blank(text, index + 1)


def _malformed(text: str, index: int, what: str, field: str | None) -> InvalidEvent:
    return InvalidEvent(field, f"malformed JSON at byte {_byte_offset(text, index)}: {what}")


def _byte_offset(text: str, index: int) -> int:
    return len(text[:index].encode("utf-8", "surrogateescape"))


def _printable(key: str) -> str:
    return key[:_NAMED_KEY_CHARACTERS].encode("utf-8", "backslashreplace").decode()
