"""One verdict on how deep an event nests, whatever the interpreter and whatever stands on the caller's stack."""

import dataclasses
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.handlers.events.create import EventFields, create_event
from millstream.handlers.events.decode import decode_event
from millstream.handlers.events.event import Event, InvalidEvent
from millstream.handlers.events.nesting import MAX_LEVELS, SURELY_SHALLOW_BYTES
from tests.handlers.events.event_payloads import make_raw

TOO_DEEP = f"nested too deeply: more than {MAX_LEVELS} levels"
FIELDS = EventFields(
    id="e",
    tenant_id="t",
    environment_id="p",
    event_name="n",
    timestamp=datetime(2026, 1, 1, tzinfo=UTC),
    customer_id="c",
)
CLOSING = {"[": "]", "{": "}"}


def nest(levels: int, openings: str = '{"a":', middle: str = "1") -> bytes:
    """Give a value of that many levels, opened by *openings* over and over."""
    repeats, missing = divmod(levels, openings.count("[") + openings.count("{"))
    opened = openings * repeats + "[" * missing
    closed = "".join(CLOSING[mark] for mark in reversed(opened) if mark in CLOSING)
    return f"{opened}{middle}{closed}".encode()


def verdict(function: Callable[[], Event], frames: int = 0) -> str:
    """Say what becomes of an event with that many of Python's frames on the stack; on a thread, as pytest has some too."""
    verdicts: list[str] = []

    def descend(left: int) -> None:
        if left:
            descend(left - 1)
            return
        try:
            function()
        except (InvalidEvent, RecursionError) as error:
            verdicts.append(str(error) if isinstance(error, InvalidEvent) else "no room")
        else:
            verdicts.append("good")

    thread = threading.Thread(target=descend, args=(frames,))
    thread.start()
    thread.join()
    return verdicts[0]


@pytest.mark.parametrize("frames", [pytest.param(0, id="shallow stack"), pytest.param(700, id="deep stack")])
@pytest.mark.parametrize("openings", ["[", '{"a":', '{"a":[', '[0,{"":'])
@pytest.mark.parametrize("field", ["properties", "extra"])
def test_a_value_at_the_bound_passes_and_one_level_more_does_not(field: str, openings: str, frames: int) -> None:
    """The bound counts every array and object in the value of a key, known or not, and is itself allowed."""

    def verdict_at(levels: int) -> str:
        payload = make_raw(**{field: b'{"a":%s}' % nest(levels - 1, openings)})
        return verdict(lambda: decode_event(payload), frames)

    assert verdict_at(MAX_LEVELS) == "good"
    assert verdict_at(MAX_LEVELS + 1) == f"{field}: {TOO_DEEP}"


@pytest.mark.parametrize("levels", [MAX_LEVELS + 1, 400, 995, 1_500, 5_000, 50_000])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({}, {}, id="all else right"),
        pytest.param({"external_customer_id": b'""', "customer_id": b'"c"'}, {}, id="on the odd path"),
        pytest.param({"timestamp": b'"2026-11-23T10:00:00.9999999Z"'}, {}, id="with a time to be cut"),
        pytest.param({"timestamp": b'"yesterday"'}, {}, id="after a bad time"),
        pytest.param({"id": b"7"}, {}, id="after a wrong type"),
        pytest.param({"id": b'"\xff"'}, {}, id="after text that is not UTF-8"),
        pytest.param({"id": rb'"\ud800"'}, {}, id="after a lone surrogate"),
        pytest.param({"external_customer_id": b"null"}, {}, id="without a customer"),
        pytest.param({}, {"source": b"7"}, id="before a wrong type"),
        pytest.param({}, {"source": b"[[[["}, id="before a value that never ends"),
        pytest.param({}, {"zz": b'"\xff"'}, id="before text that is not UTF-8"),
        pytest.param({}, {"zz": b"NaN"}, id="before NaN"),
    ],
)
def test_depth_is_the_reason_whatever_else_is_wrong(
    before: dict[str, bytes], after: dict[str, bytes], levels: int
) -> None:
    """Which of two faults stops the decoder depends on the interpreter; the verdict does not."""
    payload = make_raw(**before, properties=b'{"a":%s}' % nest(levels - 1), **after)

    assert verdict(lambda: decode_event(payload)) == f"properties: {TOO_DEEP}"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(
            b'{"zz":[1,},' + make_raw(properties=nest(5_000))[1:], "zz: malformed JSON", id="breaks off before"
        ),
        pytest.param(make_raw(id=b"NaN", properties=nest(5_000)), "id: NaN is not JSON", id="NaN before"),
        pytest.param(make_raw(extra=b"[" * 5_000), f"extra: {TOO_DEEP}", id="never closed"),
        pytest.param(make_raw(extra=b"[" * MAX_LEVELS), "extra: malformed JSON", id="never closed, within the bound"),
        pytest.param(make_raw(extra=nest(MAX_LEVELS, middle="x")), "extra: malformed JSON", id="no value at the bound"),
        pytest.param(make_raw(extra=b"7 " + nest(5_000)), "malformed JSON", id="behind a number"),
        pytest.param(b"[" * 5_000, "expected object, got array", id="no object"),
        pytest.param(b'{"a":[' + b"]" * 900 + b"[" * 1_800, "malformed JSON", id="closed too often before"),
        pytest.param(b'{"a":["' + b"[" * 900, "a: malformed JSON", id="in a string that never ends"),
        pytest.param(make_raw(extra=nest(5_000)) + b"}", f"extra: {TOO_DEEP}", id="closed too often after"),
    ],
)
def test_what_is_no_json_before_it_is_deep_is_no_json(payload: bytes, reason: str) -> None:
    """A payload that breaks off before its deep value is refused for that; one that is deep first, for the depth."""
    assert verdict(lambda: decode_event(payload)).startswith(reason)


VALUES = st.recursive(
    st.sampled_from(["1", "null", "[]", "{ }", '"{["', '"]}"', r'"\"[["', r'"\\"', r'"\\\"{"', r'"\\\\"', '" , "']),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"[ {', '.join(parts)}]")
        | st.lists(inner, min_size=1, max_size=3).map(
            lambda parts: "{" + ",".join(rf'"\"{{{at}": {part}' for at, part in enumerate(parts)) + "}"
        )
    ),
    max_leaves=12,
)


def levels_of(value: object) -> int:
    """Count the levels of a decoded value, the plain way."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if parts is None else 1 + max(map(levels_of, parts), default=0)


@given(VALUES, st.sampled_from(["[", '{"a":', '[0,{"":']), st.integers(-1, 1))
def test_around_the_bound_the_verdict_is_what_counting_says(text: str, openings: str, excess: int) -> None:
    """Brackets in strings and brackets that are closed again are no depth, wherever they stand."""
    levels = MAX_LEVELS + excess
    value = nest(levels - levels_of(json.loads(text)), openings, text)
    payload = make_raw(extra=b'{"%s": ["%s"]}' % (b"[" * 999, rb"{\"" * 999), zz=b"[{}%s]" % (b",{}" * 999), yy=value)

    assert levels_of(json.loads(value)) == levels
    assert verdict(lambda: decode_event(payload)) == ("good" if excess <= 0 else f"yy: {TOO_DEEP}")


def test_no_event_is_too_short_to_be_looked_at() -> None:
    """The shortest event that is too deep is longer than what is not looked at."""
    fields = '"id":"x","tenant_id":"x","environment_id":"x","event_name":"x","customer_id":"x","timestamp":"2026-01-01T00:00:00Z"'
    payload = b'{%s,"":%s}' % (fields.encode(), nest(MAX_LEVELS + 1, "[", ""))

    assert len(payload) > SURELY_SHALLOW_BYTES
    assert verdict(lambda: decode_event(payload)) == f": {TOO_DEEP}"


@pytest.mark.slow
@pytest.mark.parametrize("levels", [1, MAX_LEVELS])
def test_a_stack_that_is_used_up_is_no_verdict(levels: int) -> None:
    """Without room on the caller's stack a good event is good or not read at all, never refused."""
    payload = make_raw(properties=nest(levels))

    assert {verdict(lambda: decode_event(payload), frames) for frames in range(700, 990)} <= {"good", "no room"}


@dataclasses.dataclass
class Plain:
    """A level made of a dataclass."""

    inner: object


class Struct(msgspec.Struct):
    """A level made of a struct."""

    inner: object


def wrapped(levels: int, wrap: Callable[[object], object]) -> dict[str, object]:
    """Give properties of that many levels."""
    value: object = 1
    for _ in range(levels - 1):
        value = wrap(value)
    return {"a": value}


@pytest.mark.parametrize("frames", [pytest.param(0, id="shallow stack"), pytest.param(700, id="deep stack")])
@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda value: [0, value], id="lists"),
        pytest.param(lambda value: {"a": value}, id="dicts"),
        pytest.param(Plain, id="dataclasses"),
        pytest.param(Struct, id="structs"),
    ],
)
def test_an_event_made_in_python_has_the_same_bound(wrap: Callable[[object], object], frames: int) -> None:
    """What could not be received cannot be created, at any depth."""
    at_bound, *above = (wrapped(levels, wrap) for levels in (MAX_LEVELS, MAX_LEVELS + 1, 995, 1_500, 20_000))

    assert verdict(lambda: create_event(at_bound, **FIELDS), frames) == "good"
    assert {verdict(lambda deep=deep: create_event(deep, **FIELDS), frames) for deep in above} == {
        f"properties: {TOO_DEEP}"
    }


@pytest.mark.slow
def test_a_used_up_stack_is_no_verdict_on_an_event_made_in_python() -> None:
    """Without room on the caller's stack no event is made, and none is called wrong."""
    properties = wrapped(MAX_LEVELS, lambda value: [value])
    verdicts = {verdict(lambda: create_event(properties, **FIELDS), frames) for frames in range(700, 980)}

    assert verdicts <= {"good", "no room"}
