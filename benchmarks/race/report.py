"""A race as a table for the terminal."""

from benchmarks.race.results import Race, Spread, WayResult

HEAD = ("", "rows/s", "lowest to highest", "CPU s/million", "of the loop by hand", "runs")


def report(race: Race) -> str:
    """Return the table: medians with their lowest and highest, ratios of neighbours, and what else is worth a line."""
    cells = [HEAD, *(_cells(race, way) for way in race.ways)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_line(row, widths) for row in cells]
    pairs = [f"{way.label} / {other.label}: {ratio_text(spread)}" for way, other, spread in race.pairs()]
    return "\n".join([*lines, "", *pairs, *extrapolated(race), "", facts(race)])


def extrapolated(race: Race) -> list[str]:
    """Return a sentence for each way that had fewer events than the others."""
    return [
        f"{way.label}: {way.events:,} events a run, not {race.events:,}; what is said of a million is extrapolated."
        for way in race.ways
        if way.events != race.events
    ]


def facts(race: Race) -> str:
    """Return on what it was run."""
    said = [f"{name} {version}" for name, version in race.versions.items()]
    return ", ".join([f"{race.events:,} events", f"{race.cores} cores", *said])


def ratio_text(spread: Spread) -> str:
    """Return a ratio with its spread, in the digits that say something."""
    if spread.low == spread.high == 1:
        return "1"
    digits = 0 if spread.median >= 10 else 2 if spread.median >= 0.1 else 4
    return f"{spread.median:,.{digits}f} ({spread.low:,.{digits}f} to {spread.high:,.{digits}f})"


def _cells(race: Race, way: WayResult) -> tuple[str, ...]:
    rate, ratio = Spread.of(way.rates), race.of_loop(way)
    return (
        way.label,
        f"{rate.median:,.0f}",
        f"{rate.low:,.0f} to {rate.high:,.0f}",
        f"{way.cpu_per_million:,.2f}",
        "" if ratio is None else ratio_text(ratio),
        str(len(way.runs)),
    )


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])
