"""What an option takes, where click takes more than makes sense: names of files, whole numbers, numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click


class FileName(click.Path):
    """The name of a file, which need not be there; a folder is refused, and so is an empty name, which would mean this one."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if value == "":
            self.fail("the name of the file is empty", param, ctx)
        return super().convert(value, param, ctx)


class WholeNumber(click.IntRange):
    """A whole number within bounds, told of in these words."""

    name = "whole number"


class Number(click.FloatRange):
    """A number within bounds. "nan" is none, and passes every comparison with a bound; "inf" is beyond each."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        converted = super().convert(value, param, ctx)
        if not math.isfinite(converted):
            self.fail(f"{value!r} is not a valid number", param, ctx)
        return converted
