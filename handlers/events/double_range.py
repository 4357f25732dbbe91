"""Floats in `properties` that no double holds, such as `1e999`: JSON allows them, but beside one the JSON functions of ClickHouse
answer 0 for every key. An integer is none, of whatever length.
"""

import json
from math import isinf

BEYOND_DOUBLE = "holds a float beyond the range of a double, such as 1e999"
"""The reason an event gets that holds one."""


class _BeyondDouble(Exception):
    pass


def _refuse_beyond_double(text: str) -> str:
    if isinf(float(text)):
        raise _BeyondDouble
    return text


# Integers stay text: int() refuses more than 4,300 digits.
_reader = json.JSONDecoder(parse_int=str, parse_float=_refuse_beyond_double)


def is_beyond_double(properties: bytes) -> bool:
    """Tell whether sound JSON holds a float beyond the range of a double. Slow: for what msgspec has refused."""
    try:
        _reader.decode(properties.decode())
    except _BeyondDouble:
        return True
    return False
