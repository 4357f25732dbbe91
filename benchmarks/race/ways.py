"""Who takes part in the race, in the order of each round."""

from dataclasses import dataclass
from typing import Literal

Target = Literal["server", "chdb"]
"""A ClickHouse server, or chDB in the process that consumes."""
Events = Literal["all", "bad", "few"]
"""Which topic: every event good, one in `BAD_EVERY` none, or the first `FEW` alone."""

ROWS_PER_INSERT = 50_000
"""At most, for everybody who batches."""
PARTITIONS = 4
BAD_EVERY = 50_000
FEW = 2_000
"""Events for the way of one INSERT each: 6 to 15 s at the 130 to 330 a second of a server on 2 cores; a million takes hours."""
SETTINGS = {"async_insert": 0, "date_time_input_format": "best_effort", "input_format_json_read_objects_as_strings": 1}
"""What those send with an INSERT who know the table only by its columns."""


@dataclass(frozen=True, slots=True)
class Way:
    """One of them: *name* for the command line, *label* for people."""

    name: str
    label: str
    target: Target = "server"
    events: Events = "all"


WAYS = (
    Way("raw", "loop by hand"),
    Way("bento", "Bento"),
    Way("product", "product"),
    Way("bad", "one bad event in 50,000", events="bad"),
    Way("at-most-once", "at most once"),
    Way("middleware", "a middleware of one's own"),
    Way("unbatched", "without batching", events="few"),
    Way("chdb-raw", "loop by hand, chDB", target="chdb"),
    Way("chdb-product", "product, chDB", target="chdb"),
)
MEASURES = {"server": "raw", "chdb": "chdb-raw"}
"""Which way the others are compared with: the loop by hand into the same kind of store."""
PAIRS = (("product", "bento"), ("product", "unbatched"), ("product", "at-most-once"), ("bad", "product"))
"""Further ratios that are worth a line."""


class RaceError(Exception):
    """A run that does not count, or a race that cannot be run; its text is for people."""
