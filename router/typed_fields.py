"""Settings that a program makes, of the types that they say: those from a file were looked at when they were read."""

from __future__ import annotations

from typing import Literal, get_args, get_origin

import msgspec

from .callables import described
from .errors import ConfigurationError


def require_types(settings: msgspec.Struct, prefix: str = "") -> None:
    """Look at each field of *settings*.

    Args:
        prefix: what stands before the name of a field in an error, such as `batch.`.

    Raises:
        ConfigurationError: one has a value of another type, or none of those that it may have. The value itself is not shown,
            as it may be a secret, but for a word that stands for none of a few.
    """
    require_words(settings, prefix)
    for field in msgspec.structs.fields(settings):
        try:
            msgspec.convert(getattr(settings, field.name), field.type)
        except msgspec.ValidationError as error:
            told = str(error)
            raise ConfigurationError(f"{prefix}{field.name} is no value for it: {told[:1].lower()}{told[1:]}") from None


def require_words(settings: msgspec.Struct, prefix: str = "") -> None:
    """Look only at those fields of *settings* that may have one of a few words; as `require_types`, for who checks the others."""
    for field in msgspec.structs.fields(settings):
        value = getattr(settings, field.name)
        if get_origin(field.type) is Literal and value not in get_args(field.type):
            known = " or ".join(map(repr, get_args(field.type)))
            raise ConfigurationError(f"{prefix}{field.name} must be {known}, not {described(value)}")
