"""How a Kafka client proves who it is, and makes sure of who the broker is."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

from ..errors import ConfigurationError
from .names import TEXT_RULE, is_text
from .redaction import RedactedSettings

TokenProvider = Callable[[str], tuple[str, float]]
"""What OAUTHBEARER asks for a token: takes the text of the property `sasl.oauthbearer.config` (usually empty) and returns the
token and when it expires, in seconds since 1970. Called on a poll thread whenever a new one is due, so it should be quick."""

SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


class KafkaTls(RedactedSettings, frozen=True, kw_only=True):
    """Encrypt the connection. Files are in PEM format.

    Args:
        ca_file: certificates of who may vouch for the broker; `None`: those of the system.
        certificate_file, key_file: our own certificate and its key, where the broker asks for one.
        key_password: what the key is encrypted with.
        verify_hostname: whether the broker's certificate must name the host that we connect to.
    """

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    key_password: str | None = None
    verify_hostname: bool = True

    def __post_init__(self) -> None:
        _check_texts(self, "ca_file", "certificate_file", "key_file", "key_password")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ConfigurationError("KafkaTls.certificate_file and key_file belong together: give both or neither")


class KafkaSasl(RedactedSettings, frozen=True, kw_only=True):
    """Log in. Without `KafkaTls`, PLAIN sends the password readable for everybody on the way.

    Args:
        mechanism: what the broker offers.
        username, password: for PLAIN and SCRAM.
        token: for OAUTHBEARER; `None` leaves it to librdkafka's own ways, which `properties` must
            then choose with `sasl.oauthbearer.method`.
    """

    mechanism: SaslMechanism = "PLAIN"
    username: str | None = None
    password: str | None = None
    token: TokenProvider | None = None

    def __post_init__(self) -> None:
        if self.mechanism == "OAUTHBEARER":
            if self.username is not None or self.password is not None:
                raise ConfigurationError(
                    "KafkaSasl.username and password are not for OAUTHBEARER: give a token provider"
                )
        elif not self.username or not self.password:
            raise ConfigurationError(f"KafkaSasl.username and password are needed for {self.mechanism}")
        elif self.token is not None:
            raise ConfigurationError(f"KafkaSasl.token is for OAUTHBEARER, not for {self.mechanism}")
        _check_texts(self, "username", "password")


def _check_texts(settings: RedactedSettings, *names: str) -> None:
    """Refuse what librdkafka would read differently; the error shows none of it, as some are secrets."""
    for name in names:
        value = getattr(settings, name)
        if value is not None and not (isinstance(value, str | os.PathLike) and is_text(str(value))):
            raise ConfigurationError(f"{type(settings).__name__}.{name} must {TEXT_RULE}")
