"""Keeping secrets out of everything that people read: reprs, errors, logs."""

import re
from collections.abc import Iterable, Mapping

import msgspec

MASK = "***"
SECRET_FIELDS = frozenset({"password", "key_password", "token"})
"""A token provider is often a `functools.partial` whose repr shows what it logs in with."""
SECRET_PARTS = (
    "password",
    "secret",
    ".pem",
    "jaas",
    "oauthbearer.config",
    "assertion.private.key",
    "token",
    "kinit.cmd",
)
"""What the name of a librdkafka property that holds a secret has in it; rather one too many than one too few."""
USERINFO = re.compile(r"(?<=://)\S*(?=@)")
"""`user:password` of a URL; up to the last @, as not everybody escapes those of a password."""


class RedactedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a Kafka client, shown without their secrets."""

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [(name, shown(name, getattr(self, name))) for name in self.__struct_fields__]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"


def is_secret(name: str) -> bool:
    """Tell whether the librdkafka property *name* holds a secret; the path of a key file and a URL are none by themselves."""
    return any(part in name for part in SECRET_PARTS) and not name.endswith((".location", ".url"))


def shown(name: str, value: object) -> object:
    """Return *value* as it may be shown: masked where the field *name* is secret, and property by property in a mapping."""
    if name in SECRET_FIELDS and value is not None:
        return MASK
    if isinstance(value, Mapping):
        return {key: MASK if is_secret(key) else _without_userinfo(each) for key, each in value.items()}
    return value


def mask_urls(text: str) -> str:
    """Return *text* with what stands between `://` and `@` masked."""
    return USERINFO.sub(MASK, text)


def secrets_in(properties: Mapping[str, object]) -> list[str]:
    """Return what of librdkafka properties must appear in no text: whole values, and the login in a URL with its parts."""
    found = []
    for name, value in properties.items():
        if is_secret(name):
            found.append(str(value))
        for login in USERINFO.findall(str(value)):
            _, _, password = login.partition(":")
            found += [login, password]
    return found


def _without_userinfo(value: object) -> object:
    return mask_urls(value) if isinstance(value, str) else value


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return *text* with each of *secrets* masked, wherever it stands; the longest first, as one may be part of another."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
