"""Where settings come from: a TOML file and the environment, each value with the place it was found at."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from millstream.router import ConfigurationError

DEFAULT_FILE = Path("millstream.toml")
"""Read when no file is named, if it is in the current folder."""
PREFIX = "MILLSTREAM_"
CONFIG_VARIABLE = "MILLSTREAM_CONFIG"
"""Names another file, as `--config` does."""
SEPARATOR = "__"


class Given(msgspec.Struct, frozen=True):
    """One value that somebody set.

    Args:
        section, key: its name, in lower case; an empty key stands for a section of a file that sets nothing.
        value: as it was written; text where it comes from the environment.
        place: the file, or the variable.
        is_variable: whether it comes from the environment.
    """

    section: str
    key: str
    value: Any
    place: str
    is_variable: bool = False


def variable_name(section: str, key: str) -> str:
    """Return the environment variable of a setting."""
    return f"{PREFIX}{section}{SEPARATOR}{key}".upper()


def named_file(environ: Mapping[str, str]) -> Path | None:
    """Return the file that the environment names, if it names one."""
    name = environ.get(CONFIG_VARIABLE, "")
    return Path(name) if name else None


def read_file(path: Path | None) -> list[Given]:
    """Return what a TOML file sets; nothing when none was named and there is no `millstream.toml`.

    Raises:
        ConfigurationError: it cannot be read, is no TOML, or has a value outside any section.
    """
    if path is None:
        if not DEFAULT_FILE.exists():
            return []
        path = DEFAULT_FILE
    return list(_values(str(path), _parse(path)))


def _parse(path: Path) -> dict[str, Any]:
    try:
        # Editors on Windows put a byte order mark before the text.
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}, line {line}: not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(_toml_error(path, str(error))) from None
    except RecursionError:
        raise ConfigurationError(f"{path}: nested too deeply") from None


def _toml_error(path: Path, text: str) -> str:
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", text, re.DOTALL)
    if found is None:
        return f"{path}: {text}"
    return f"{path}, line {found[2]}, column {found[3]}: {found[1]}"


def _values(place: str, document: Mapping[str, Any]) -> Iterator[Given]:
    for section, values in document.items():
        if not isinstance(values, dict):
            raise ConfigurationError(f"{place}: {section} stands outside any section; a section is written [{section}]")
        if not values:
            # Still checked: [clickhose], or [billing] above ids that are commented out.
            yield Given(section, "", None, place)
        for key, value in values.items():
            yield Given(section, key, value, place)


def read_environment(environ: Mapping[str, str]) -> list[Given]:
    """Return what variables of the form `MILLSTREAM_<SECTION>__<KEY>` set; others are left alone."""
    found = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and SEPARATOR in name.removeprefix(PREFIX):
            section, _, key = name.removeprefix(PREFIX).lower().partition(SEPARATOR)
            found.append(Given(section, key, environ[name], name, is_variable=True))
    return found
