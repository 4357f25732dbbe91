"""`load_settings`: file and environment made into `Settings`, every mistake told in one line that names its place."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec

from millstream.handlers.events import LaneConfig
from millstream.handlers.store import StoreDsn
from millstream.router import ConfigurationError

from .kafka import SECRET_KEYS
from .sections import Settings
from .sources import PREFIX, Given, named_file, read_environment, read_file, variable_name
from .values import WrongValue, convert_text, convert_value, unquoted_name

SECRETS = frozenset({("clickhouse", "dsn"), *(("kafka", key) for key in SECRET_KEYS)})
"""Settings whose value no error shows."""
SIMILARITY = 0.5
"""How alike a name must be to be suggested, from 0 to 1; difflib's own 0.6 misses `size` for `batch_size`."""
MAX_SHOWN = 60
"""Characters of a wrong value that an error shows."""


def load_settings(
    path: Path | None = None, environ: Mapping[str, str] | None = None, *, store: str | None = None
) -> Settings:
    """Read the settings from a TOML file and from variables `MILLSTREAM_<SECTION>__<KEY>`; variables win.

    Args:
        path: a file that must exist; `None`: that of `MILLSTREAM_CONFIG`, else `millstream.toml` in the current folder, if it is
            there.
        environ: the variables; `None`: those of this process.
        store: an address that wins over both, as from `--store`.

    Raises:
        ConfigurationError: a mistake, one line: the file or variable, the section and key, the value unless it is secret.
    """
    return _settings_of(find_given(path, environ, store=store))


def find_given(
    path: Path | None = None, environ: Mapping[str, str] | None = None, *, store: str | None = None
) -> dict[tuple[str, str], Given]:
    """Return what file and environment set, by section and key, each with its place; see `load_settings`.

    Raises:
        ConfigurationError: a key that is none, or a value of another type.
    """
    environ = os.environ if environ is None else environ
    path = named_file(environ) if path is None else path
    _check_separators(environ)
    given = {(each.section, each.key): _checked(each) for each in [*read_file(path), *read_environment(environ)]}
    if store is not None:
        given["clickhouse", "dsn"] = Given("clickhouse", "dsn", _checked_store(store), "--store")
    return given


def _settings_of(given: Mapping[tuple[str, str], Given]) -> Settings:
    sections: dict[str, dict[str, Given]] = {}
    for (section, key), each in given.items():
        sections.setdefault(section, {})[key] = each
    built = {section: _build(section, values) for section, values in sections.items()}
    try:
        return Settings(**built)
    except ConfigurationError as error:
        section = str(error).partition(".")[0]
        raise _located(section, sections[section], str(error)) from None


@cache
def known_settings() -> dict[str, dict[str, Any]]:
    """Return every key of every section, with its type."""
    return {section: get_type_hints(kind) for section, kind in known_sections().items()}


@cache
def known_sections() -> dict[str, type[msgspec.Struct]]:
    """Return the type of every section, by its name."""
    hints = get_type_hints(Settings)
    return {section: (get_args(hint) or (hint,))[0] for section, hint in hints.items()}


def _checked(given: Given) -> Given:
    """Return it with its value as its setting's type."""
    known = known_settings()
    if given.section not in known:
        raise _unknown_section(given)
    if not given.key and not given.is_variable:
        return given
    keys = known[given.section]
    if given.key not in keys:
        raise _unknown_key(given)
    convert = convert_text if given.is_variable else convert_value
    try:
        return msgspec.structs.replace(given, value=convert(given.value, keys[given.key]))
    except WrongValue as wrong:
        if dotted := unquoted_name(given.value, keys[given.key]):
            hint = f'write the name in quotes, "{dotted}" = …, or TOML takes its parts for tables'
            raise ConfigurationError(f"{_name(given)}.{dotted}: {hint}") from None
        raise ConfigurationError(f"{_name(given)} must be {wrong}{_shown(given)}") from None


def _checked_store(store: str) -> str:
    try:
        StoreDsn.parse(store)
    except ConfigurationError as error:
        raise ConfigurationError(f"--store: {error}") from None
    return store


def _build(section: str, given: Mapping[str, Given]) -> Any:
    default = getattr(Settings(), section)
    # What a lane is called by default belongs to that lane, not to its type.
    values = msgspec.structs.asdict(default) if isinstance(default, LaneConfig) else {}
    values |= {key: each.value for key, each in given.items() if key}
    try:
        return known_sections()[section](**values)
    except ConfigurationError as error:
        raise _located(section, given, str(error)) from None


def _located(section: str, given: Mapping[str, Given], text: str) -> ConfigurationError:
    """Return the error of a section's own check, which knows its key, with where the value was found."""
    for prefix in (f"{section}.", "RouterConfig."):
        text = text.removeprefix(prefix)
    found = re.match(r"\w+", text)
    cause = given.get(found[0]) if found else None
    place = next(iter(given.values())).place if cause is None else cause.place
    return ConfigurationError(f"{place}: {section}.{text}")


def _name(given: Given) -> str:
    return f"{given.place}: {given.section}.{given.key}"


def _shown(given: Given) -> str:
    if (given.section, given.key) in SECRETS:
        return ""
    text = repr(given.value)
    return f", not {text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + '…'}"


def _unknown_section(given: Given) -> ConfigurationError:
    nearest = _nearest(given.section, known_settings())
    if nearest is None:
        hint = f"known are {', '.join(known_settings())}"
    else:
        hint = f"did you mean {variable_name(nearest, given.key) if given.is_variable else f'[{nearest}]'}?"
    return ConfigurationError(f"{given.place}: unknown section [{given.section}]; {hint}")


def _unknown_key(given: Given) -> ConfigurationError:
    section, keys = given.section, known_settings()[given.section]
    nearest = _nearest(given.key, keys)
    if nearest is None:
        hint = f"known are {', '.join(keys)}"
    else:
        hint = f"did you mean {variable_name(section, nearest) if given.is_variable else f'{section}.{nearest}'}?"
    return ConfigurationError(f"{_name(given)} is no setting; {hint}")


def _nearest(name: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=SIMILARITY)), None)


def _check_separators(environ: Mapping[str, str]) -> None:
    """Refuse `MILLSTREAM_CLICKHOUSE_DSN`: passed over, it would send the events somewhere else."""
    names = [variable_name(section, key) for section, keys in known_settings().items() for key in keys]
    by_single = {name.replace("__", "_"): name for name in names}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name in by_single:
            raise ConfigurationError(f"{name}: unknown variable; did you mean {by_single[name]}?")
