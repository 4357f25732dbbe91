"""Checking the options of a middleware where it is made, not where it first fails."""

import math

from millstream.router import ConfigurationError


def require_between(option: str, value: float, low: float, high: float = math.inf) -> None:
    """Raise `ConfigurationError` unless *value* is a finite number from *low* to *high*, both included.

    Args:
        option: what the user knows it as, such as `jitter`.
    """
    if low <= value <= high and math.isfinite(value):
        return
    rule = f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
    raise ConfigurationError(f"{option} must be a number of {rule}, not {value!r}")
