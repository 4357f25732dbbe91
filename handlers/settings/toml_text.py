"""Settings written as TOML: all of them with their defaults as comments, or those in force with where they come from."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from .documented import documentation
from .loading import known_sections
from .sections import ClickHouseConfig, Settings
from .sources import Given, variable_name

WIDTH = 110
"""Characters of a line of explanations."""
HEAD = f"""\
# Settings of Millstream: every one, with its default, as a comment. Take the "#" away to change one.
# A variable {variable_name("section", "key")} wins over this file; the items of a list are separated by commas there.
# `millstream config check` shows what is in force, and where each value comes from. Text stands in quotes.
# A service that has Kafka and a ClickHouse server needs two of them: kafka.brokers and clickhouse.dsn.
# A lane is one way of events into the store: a topic, the group that reads it, and where it sets messages aside.
# Secrets (kafka.sasl_password, kafka.tls_key_password, a password in clickhouse.dsn) are better off in variables.
"""
NOT_SET = "not set"


def template() -> str:
    """Return a settings file with every key, what it means and its default, all of it as comments: it changes nothing."""
    defaults = Settings()
    sections = (_section_of_template(name, kind, getattr(defaults, name)) for name, kind in known_sections().items())
    return "\n".join([HEAD, *sections])


def _section_of_template(name: str, kind: type[msgspec.Struct], default: Any) -> str:
    lines = [*_wrapped(documentation(Settings).get(name, ""))]
    # A section that is off by default is on once its header is there.
    lines.append(f"# [{name}]" if default is None else f"[{name}]")
    said = ""
    for key in kind.__struct_fields__:
        text = documentation(kind).get(key, "").replace("`None`", NOT_SET)
        if text != said:
            lines += ["#", *_wrapped(text)]
        said = text
        value = getattr(default, key, None)
        lines.append(f"# {key} =" if value is None else f"# {key} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


def _wrapped(text: str) -> Iterator[str]:
    return (f"#   {line}" for line in textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def in_force(settings: Settings, given: Mapping[tuple[str, str], Given]) -> str:
    """Return *settings* as TOML, each value with a comment that says where it comes from; secrets are masked.

    Args:
        given: what was set, as `find_given` returns it; everything else is a default.
    """
    sections = (_section_in_force(name, getattr(settings, name), given) for name in known_sections())
    return "\n".join(sections)


def _section_in_force(name: str, section: Any, given: Mapping[tuple[str, str], Given]) -> str:
    if section is None:
        return f"# [{name}] is {NOT_SET}\n"
    rows = []
    for key, value in _shown(section).items():
        found = given.get((name, key))
        text = f"# {key} is {NOT_SET}" if value is None else f"{key} = {toml_value(value)}"
        rows.append((text, _default_of(section, key) if found is None else found.origin))
    width = min(WIDTH // 2, max(len(text) for text, _ in rows))
    return "\n".join([f"[{name}]", *(f"{text:<{width}}  # {origin}" for text, origin in rows)]) + "\n"


def _default_of(section: msgspec.Struct, key: str) -> str:
    in_address = isinstance(section, ClickHouseConfig) and key == "database" and section.address.database
    return "the address" if in_address else "default"


def _shown(section: msgspec.Struct) -> dict[str, Any]:
    """Return what may be shown of a section: one with secrets says so by itself."""
    own = getattr(section, "__rich_repr__", None)
    return dict(own()) if own is not None else msgspec.structs.asdict(section)


def toml_value(value: Any) -> str:
    """Return a value of a setting as TOML: text, a number, true or false, a list or a table of these."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(str(key))} = {toml_value(each)}" for key, each in value.items()) + "}"
    return "[" + ", ".join(toml_value(each) for each in value) + "]"


def _text(value: str) -> str:
    # JSON escapes what TOML does, but for DEL, which TOML does not take bare.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
