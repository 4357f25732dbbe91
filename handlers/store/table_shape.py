"""What a table should be like, as data: it is created from that, and an older one is compared with it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

UTC_TIME = re.compile(r"DateTime64\((\d)(?:, '([^']+)')?\)")
"""A type for times; its precision, and its zone where it has one of its own."""


class ColumnShape(msgspec.Struct, frozen=True):
    """A column.

    Args:
        name: a plain identifier.
        type: as the engine writes it.
        default: the expression for a row that does not say, as the engine writes it; empty: none.
    """

    name: str
    type: str
    default: str = ""

    @property
    def sql(self) -> str:
        """How it stands in a statement."""
        return f"{self.name} {self.type}{self.default_sql}"

    @property
    def default_sql(self) -> str:
        """Its default as it stands in a statement, with a blank before it."""
        return f" DEFAULT {self.default}" if self.default else ""


class IndexShape(msgspec.Struct, frozen=True):
    """A data skipping index; all as the engine writes it."""

    expression: str
    type: str
    granularity: int

    @property
    def sql(self) -> str:
        """How it stands in a statement, behind its name."""
        return f"{self.expression} TYPE {self.type} GRANULARITY {self.granularity}"


class TableShape(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the MergeTree family. Every expression is as the engine writes it: else an equal one would look different.

    Args:
        columns: in their order.
        constraints: what a row must fulfil, by name.
        indexes: data skipping indexes, by name.
        engine: such as `ReplacingMergeTree`, without `Replicated`.
        version: the column that decides which of two equal rows stays.
        partition_key, primary_key, sorting_key: without the brackets of a tuple.
        settings: of the table.
        deduplication_window: how many blocks it remembers, at least; a setting as well, with another name where it is replicated.
    """

    columns: tuple[ColumnShape, ...]
    constraints: Mapping[str, str]
    indexes: Mapping[str, IndexShape]
    engine: str
    version: str
    partition_key: str
    primary_key: str
    sorting_key: str
    settings: Mapping[str, int]
    deduplication_window: int

    def create(self, full_name: str) -> str:
        """Return the statement that creates it as *full_name*, which is quoted, where there is none."""
        lines = [column.sql for column in self.columns]
        lines += [f"CONSTRAINT {name} CHECK {expression}" for name, expression in self.constraints.items()]
        lines += [f"INDEX {name} {index.sql}" for name, index in self.indexes.items()]
        settings = {**self.settings, "non_replicated_deduplication_window": self.deduplication_window}
        body = ",\n    ".join(lines)
        return (
            f"CREATE TABLE IF NOT EXISTS {full_name}\n(\n    {body}\n)\n"
            f"ENGINE = {self.engine}({self.version})\n"
            f"PARTITION BY {self.partition_key}\n"
            f"PRIMARY KEY ({self.primary_key})\n"
            f"ORDER BY ({self.sorting_key})\n"
            f"SETTINGS {_settings(settings)}"
        )


def _settings(settings: Mapping[str, int]) -> str:
    return ",\n    ".join(f"{name} = {value}" for name, value in settings.items())
