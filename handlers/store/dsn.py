"""The address of a store, taken apart once and never shown with its password."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from millstream.router.errors import ConfigurationError

KNOWN_SCHEMES = "chdb:///folder, http://user:password@host:8123/database, https://…"
DEFAULT_HTTP_PORT = 8123
DEFAULT_HTTPS_PORT = 8443
"""ClickHouse's own defaults for its HTTP interface."""

_HIDDEN = "***"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_SECRET_NAME = re.compile(r"pass|secret|token|key|credential|proxy", re.IGNORECASE)


@dataclass(frozen=True)
class StoreDsn:
    """Where a store is and how to log in; `StoreDsn.parse` makes one. `str` and `repr` show it without its secrets.

    Args:
        scheme: `chdb`, `http` or `https`.
        folder: of a chDB store, as written; None for a server.
        host: of a server; empty for chDB.
        port: of a server; 0 for chDB.
        user: to log in as; empty is the server's default user.
        password: to log in with.
        database: that unqualified table names of a statement mean; None is the store's default.
        settings: ClickHouse settings and driver options for every request, from the address.
    """

    scheme: str
    folder: Path | None = None
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    database: str | None = None
    settings: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def parse(cls, text: str) -> "StoreDsn":
        """Take an address apart.

        Raises:
            ConfigurationError: it is none of the known kinds, or not well formed. The text shows no part of an address
                that may hold a password.
        """
        found = _SCHEME.fullmatch(text.strip())
        if found is None:
            raise ConfigurationError(f"the store address has no scheme; known: {KNOWN_SCHEMES}")
        scheme, rest = found[1].lower(), found[2]
        if scheme == "chdb":
            return _parse_folder(rest)
        if scheme in {"http", "https"}:
            return _parse_server(scheme, text.strip())
        raise ConfigurationError(f"unknown store scheme {scheme!r}; known: {KNOWN_SCHEMES}")

    @property
    def is_embedded(self) -> bool:
        """Whether the store is a chDB folder of this process."""
        return self.folder is not None

    @property
    def redacted(self) -> str:
        """The address with `***` for every secret."""
        shown = "&".join(
            f"{name}={_HIDDEN if _SECRET_NAME.search(name) else quote(value)}" for name, value in self.settings
        )
        query = f"?{shown}" if shown else ""
        if self.folder is not None:
            return f"chdb://{self.folder}{query}"
        login = f"{quote(self.user)}:{_HIDDEN}@" if self.password else f"{quote(self.user)}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{login}{host}:{self.port}/{self.database or ''}{query}"

    def without_secrets(self, text: str) -> str:
        """Return a text, such as a driver's error, with this address's secrets blotted out."""
        secrets = [self.password, *(value for name, value in self.settings if _SECRET_NAME.search(name))]
        secrets += [_password_of(value) for name, value in self.settings if "proxy" in name]
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            for form in (secret, quote(secret, safe=""), urlencode({"": secret})[1:]):
                text = text.replace(form, _HIDDEN)
        return text

    def __str__(self) -> str:
        return self.redacted

    def __repr__(self) -> str:
        return f"StoreDsn({self.redacted!r})"


def _password_of(address: str) -> str:
    """Return the password in the *address* of a proxy, which may lack a scheme."""
    try:
        return unquote(urlsplit(address if "//" in address else f"//{address}").password or "")
    except ValueError:  # no address: hidden as a whole all the same
        return ""


def _parse_folder(rest: str) -> StoreDsn:
    path, _, query = rest.partition("?")
    folder = unquote(path)
    if not folder.strip("/") or folder.startswith(":"):
        raise ConfigurationError("a chdb:// address needs a folder: chdb:///folder, or chdb://folder relative to here")
    if "?" in folder or "\0" in folder:
        # chDB would take what follows a question mark for options of the engine.
        raise ConfigurationError("the folder of a chdb:// address cannot hold a question mark or a zero byte")
    return StoreDsn(scheme="chdb", folder=Path(folder), settings=_parse_settings(query))


def _parse_server(scheme: str, text: str) -> StoreDsn:
    split = _split(text)
    settings = dict(_parse_settings(split.query))
    user = unquote(split.username or "") or settings.pop("user", "")
    password = unquote(split.password or "") or settings.pop("password", "")
    path = unquote(split.path.strip("/"))
    database = settings.pop("database", path)
    if path and database != path:
        raise ConfigurationError(f"the store address names two databases, {path!r} and {database!r}: leave one out")
    default_port = DEFAULT_HTTPS_PORT if scheme == "https" else DEFAULT_HTTP_PORT
    return StoreDsn(
        scheme=scheme,
        host=split.hostname or "",
        port=default_port if split.port is None else split.port,
        user=user,
        password=password,
        database=database or None,
        settings=tuple(settings.items()),
    )


def _split(text: str) -> SplitResult:
    # A password with a slash or a hash in it shifts the parts: what is left of it must not be taken for a database.
    hint = "expected http://user:password@host:8123/database, with @ : / ? # in a user or password percent-encoded"
    try:
        split = urlsplit(text)
        port = split.port
    except ValueError:
        raise ConfigurationError(f"the store address is not well formed; {hint}") from None
    is_shifted = bool(split.fragment) or "@" in split.path + split.query or "/" in split.path.strip("/")
    if not split.hostname or port == 0 or is_shifted:
        raise ConfigurationError(f"the store address is not well formed; {hint}")
    return split


def _parse_settings(query: str) -> tuple[tuple[str, str], ...]:
    settings: Mapping[str, str] = dict(parse_qsl(query, keep_blank_values=True))
    for name in settings:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ConfigurationError("the store address holds a setting whose name is not a plain identifier")
    return tuple(settings.items())
