"""How a refused payload is explained."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.handlers.events.diagnosis import diagnose
from tests.handlers.events.event_payloads import make_payload, make_raw


def test_positions_count_bytes_not_characters() -> None:
    """A fault behind text beyond ASCII is named by its byte offset, as an editor or `dd` finds it."""
    payload = '{"é😀":1,"id":}'.encode()
    found = diagnose(payload, msgspec.DecodeError("?"))

    assert found.reason.startswith(f"malformed JSON at byte {payload.index(b'}')}:")


def test_the_first_fault_counts() -> None:
    """With several faults the one that stands first in the payload is named."""
    found = diagnose(make_raw(id=rb'"\ud800"', properties=b'{"a":NaN}'), msgspec.DecodeError("?"))

    assert str(found) == "id: lone surrogate at byte 7"


def test_an_escaped_backslash_starts_no_surrogate() -> None:
    """`\\\\ud800` is a backslash and five letters; the fault that follows it is the one named."""
    found = diagnose(make_raw(id=rb'"\\ud800"', properties=b'{"a":NaN}'), msgspec.DecodeError("?"))

    assert str(found) == "properties: NaN is not JSON"


def test_a_long_unknown_key_is_shortened() -> None:
    """A key of any length does not make a reason of any length."""
    found = diagnose(b'{"%s":NaN}' % (b"k" * 100_000), msgspec.DecodeError("?"))

    assert found.field == "k" * 64


def test_what_the_walk_does_not_find_keeps_the_decoders_words() -> None:
    """When JSON looks sound here, the decoder's own text is the reason."""
    found = diagnose(make_payload(), msgspec.DecodeError("something new"))

    assert str(found) == "malformed JSON: something new"


def test_a_stack_that_was_used_up_is_not_laid_at_the_payload() -> None:
    """A payload with nothing wrong is not blamed for a stack that ended: the error is given on."""
    error = RecursionError()
    with pytest.raises(RecursionError) as caught:
        diagnose(make_payload(), error)

    assert caught.value is error


def test_an_unknown_validation_text_is_passed_on() -> None:
    """A text that a later msgspec may use is shown as it is rather than swallowed."""
    found = diagnose(make_payload(), msgspec.ValidationError("Something else - at `$.id`"))

    assert str(found) == "id: Something else"


@given(st.text(alphabet="\ud83d\ude00\\ud80A\n", max_size=8))
def test_surrogates_are_lone_exactly_when_text_cannot_be_encoded(text: str) -> None:
    """The reason for lone surrogates agrees with Python's own encoder on every mixture of halves and backslashes."""
    document = make_raw(properties=json.dumps({"a": text}).encode())
    found = diagnose(document, msgspec.DecodeError("sound"))
    decoded = json.loads(document)["properties"]["a"]
    try:
        decoded.encode()
        is_sound = True
    except UnicodeEncodeError:
        is_sound = False

    assert ("lone surrogate" in found.reason) is not is_sound
