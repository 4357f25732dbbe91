"""A race that was never run."""

from benchmarks.race.results import Measured, Race, WayResult
from benchmarks.race.ways import WAYS, Way

VERSIONS = {"Python": "3.11.7", "Apache Kafka": "4.1.0", "<Bento>": "1.20 & more"}


def way_result(way: Way, seconds: list[float], *, events: int = 1000) -> WayResult:
    """Return runs of *way* that took so long, half of it on the processor."""
    return WayResult(way.name, way.label, way.target, events, [Measured(each, each / 2) for each in seconds])


def make_race(seconds: dict[str, list[float]], *, events: int = 1000) -> Race:
    """Return a race of the ways in *seconds*, in the order of all ways."""
    ways = [way_result(way, seconds[way.name], events=events) for way in WAYS if way.name in seconds]
    return Race(VERSIONS, 2, events, ways)


SMALL = make_race(
    {
        "raw": [1.0, 2.0, 1.0],
        "bento": [2.0, 2.0, 2.0],
        "product": [1.0, 4.0, 2.0],
        "chdb-raw": [5.0, 5.0, 5.0],
        "chdb-product": [10.0, 5.0, 20.0],
    }
)
