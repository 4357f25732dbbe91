"""Nothing waits or decides by the wall clock: it may jump by an hour, and is asked only for times that people read."""

import ast

import pytest

from tests.guards.sources import Source

WALL_CLOCK = {
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
}
METHODS = {name.split(".")[1] for name in WALL_CLOCK}
FOR_PEOPLE = {
    "router/poison/record.py",  # when a message was set aside
    "router/memory/pubsub.py",  # when a message was published, as a broker says it
    "handlers/events/outage.py",  # since when the store is away
    "handlers/cli/doctor/clocks.py",  # whether it is the server's as well
}
"""Where a moment is written down, and nothing is reckoned with it."""


def find_wall_clock(source: Source) -> list[str]:
    """Return where *source* asks for the time of day, under whatever name it is imported."""
    attributes = [node for node in source.nodes if isinstance(node, ast.Attribute) and node.attr in METHODS]
    names = [(node.lineno, ast.unparse(node)) for node in attributes]
    found = [(line, name) for line, name in names if ".".join(name.split(".")[-2:]) in WALL_CLOCK]
    imports = [node for node in source.nodes if isinstance(node, ast.ImportFrom) and node.module == "time"]
    found += [(node.lineno, f"time.{each.name}") for node in imports for each in node.names]
    return [f"{source.name}:{line}" for line, name in found if name.endswith(tuple(WALL_CLOCK))]


def test_only_what_people_read_has_the_time_of_day(library: list[Source]) -> None:
    """Expect waits, deadlines, ages and intervals to know the monotonic clock alone."""
    found = [place for source in library if source.name not in FOR_PEOPLE for place in find_wall_clock(source)]

    assert found == []


def test_each_exception_is_one(library: list[Source]) -> None:
    """Expect a file that no longer asks for the time of day to leave the list."""
    found = {source.name for source in library if find_wall_clock(source)}

    assert found == FOR_PEOPLE


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("import time\nstart = time.time()", [2]),
        ("from time import time", [1]),
        ("from time import monotonic", []),
        ("import datetime\nnow = datetime.datetime.now()", [2]),
        ("from datetime import datetime\nclock = datetime.now", [2]),
        ("now = clock.now()", []),
    ],
)
def test_wall_clock_is_found(text: str, lines: list[int]) -> None:
    """Expect the finder to see calls and names handed on, and to leave the monotonic clock alone."""
    found = find_wall_clock(Source.of("router/x.py", text))

    assert found == [f"router/x.py:{line}" for line in lines]
