"""Settings of a router."""

from __future__ import annotations

import msgspec

from ..callables import described, is_number, require_instance
from ..errors import ConfigurationError
from ..poison.storm import StormLimits

MAX_SECONDS = 1_000_000_000
"""31 years: what is endless can be waited for by no thread, and what is no number is never over."""


class RouterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a router.

    Args:
        close_timeout: seconds that `close` waits for handlers, flushes and poison records.
        nack_resend_delay: seconds before a message that was not handled is delivered again; doubled with each time.
        max_nack_resend_delay: seconds that this grows to at most.
        max_redeliveries: redeliveries before the handler's poison sink takes a message that was nacked, or whose error no
            middleware has judged. Unlimited without a sink, for a `TransientError`, for output that cannot be published, and for
            what `PoisonQueue` or `FailurePolicy` has declined.
        poison_limits: how much each handler may set aside before it halts.

    Example:
        >>> Router(RouterConfig(close_timeout=10.0, max_redeliveries=3)).config.max_redeliveries
        3
    """

    close_timeout: float = 30.0
    nack_resend_delay: float = 0.1
    max_nack_resend_delay: float = 10.0
    max_redeliveries: int = 10
    poison_limits: StormLimits = StormLimits()

    def __post_init__(self) -> None:
        require_instance("RouterConfig.poison_limits", self.poison_limits, StormLimits, "StormLimits(…)")
        for name in ("close_timeout", "nack_resend_delay", "max_nack_resend_delay", "max_redeliveries"):
            value = getattr(self, name)
            if not is_number(value):
                raise ConfigurationError(f"RouterConfig.{name} must be a number, not {described(value)}")
            if not value >= 0:
                raise ConfigurationError(f"RouterConfig.{name} must not be negative, not {value}")
            if value > MAX_SECONDS and name != "max_redeliveries":
                raise ConfigurationError(f"RouterConfig.{name} must be at most {MAX_SECONDS:,} seconds, not {value}")
