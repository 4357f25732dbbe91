"""Where settings come from: a TOML file and the environment, each value with the place it was found at."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from millstream.router import ConfigurationError

DEFAULT_FILE = Path("millstream.toml")
"""Read when no file is named, if it is in the current folder."""
PREFIX = "MILLSTREAM_"
CONFIG_VARIABLE = "MILLSTREAM_CONFIG"
"""Names another file, as `--config` does."""
SEPARATOR = "__"
_NAME = r"""\s*([\w-]+|"[^"]*"|'[^']*')\s*"""
_TABLE = re.compile(rf"\s*\[{_NAME}(?:\.{_NAME})?")
"""A header, `[section]` or that of a table in it."""
_KEY = re.compile(rf"{_NAME}(?:\.{_NAME})?[=.]")


class Given(msgspec.Struct, frozen=True):
    """One value that somebody set.

    Args:
        section, key: its name, in lower case; an empty key stands for a section of a file that sets nothing.
        value: as it was written; text where it comes from the environment.
        place: the file, or the variable.
        is_variable: whether it comes from the environment.
        line: where in the file, from 1; 0: not known, or no file.
    """

    section: str
    key: str
    value: Any
    place: str
    is_variable: bool = False
    line: int = 0

    @property
    def origin(self) -> str:
        """Where it was found, with the line."""
        return f"{self.place}, line {self.line}" if self.line else self.place


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
        try:
            if not DEFAULT_FILE.exists():
                return []
        except OSError as error:
            raise ConfigurationError(f"cannot read {DEFAULT_FILE}: {error.strerror}") from error
        path = DEFAULT_FILE
    text, document = _parse(path)
    lines = find_lines(text)
    return [replace(each, line=lines.get((each.section, each.key), 0)) for each in _values(str(path), document)]


def _parse(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        # Editors on Windows put a byte order mark before the text.
        text = path.read_bytes().decode("utf-8-sig")
        return text, tomllib.loads(text)
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
    # That of a text without quotes, which is what people write.
    hint = "; text stands in quotes, a list in brackets" if found[1] == "Invalid value" else ""
    return f"{path}, line {found[2]}, column {found[3]}: {found[1]}{hint}"


def find_lines(text: str) -> dict[tuple[str, str], int]:
    """Return the line, from 1, on which each section and key of a TOML *text* is set; one inside an inline table is left out.

    By the form of the lines: `tomllib` does not tell.
    """
    lines: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if table := _TABLE.match(line):
            section, key = _bare(table[1]), _bare(table[2] or "")
            lines.setdefault((section, key), number)
        elif found := _KEY.match(line):
            names = [_bare(name) for name in found.groups() if name]
            place = (section, names[0]) if section else tuple(names) if len(names) > 1 else ("", "")
            lines.setdefault((place[0], place[1]), number)
    return lines


def _bare(name: str) -> str:
    return name.strip("\"'")


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
