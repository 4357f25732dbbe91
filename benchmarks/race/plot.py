"""A race as a picture: `python -m benchmarks.race.plot [race.json]` draws an SVG beside the file.

A bar for each way's median rate, a whisker from its lowest to its highest, and figures behind it. The picture brings its own
background, light or dark as the reader's system is, and looks the same for the same results.
"""

import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.race import results
from benchmarks.race.report import extrapolated, facts, ratio_text
from benchmarks.race.results import Race, Spread, WayResult
from benchmarks.race.ways import Target

DEFAULT = Path(__file__).parents[1] / "race.json"
WIDTH, MARGIN = 870, 16
BARS_AT, BARS_WIDTH = 200, 290
ROW, BAR, TITLE, GAP, SERIF = 26, 14, 30, 14, 4
NOTE, NOTE_CHARACTERS = 16, 130
TITLES: dict[Target, str] = {"server": "into a ClickHouse server", "chdb": "into chDB, in the same process"}
HEADS = ((564, "rows/s"), (744, "of the loop by hand"), (WIDTH - MARGIN, "CPU s/million"))
"""Where each column of figures ends, and its head."""
STYLE = """\
<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.small { font-size: 11px; fill: #59636e }
.end { text-anchor: end; font-variant-numeric: tabular-nums }
.ground { fill: #ffffff; stroke: #d1d9e0 }
.product { fill: #0a7d5a }
.other { fill: #8c959f }
.whisker { stroke: #1f2328; stroke-width: 1.5; fill: none }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.small { fill: #9198a1 }
.ground { fill: #0d1117; stroke: #3d444d }
.product { fill: #2ea67d }
.other { fill: #6e7681 }
.whisker { stroke: #e6edf3 }
}
</style>"""


def draw(race: Race) -> str:
    """Return *race* as the text of an SVG."""
    scale = BARS_WIDTH / max(rate for way in race.ways for rate in way.rates)
    body: list[str] = []
    top = MARGIN
    for target, title in TITLES.items():
        ways = [way for way in race.ways if way.target == target]
        if ways:
            body += _heading(title, top)
            top += TITLE
            for way in ways:
                body += _row(race, way, top, scale)
                top += ROW
            top += GAP
    for note in _notes(race):
        body.append(_text(MARGIN, top + 4, note, "small"))
        top += NOTE
    height = top + MARGIN - 8
    label = f'role="img" aria-label="{_attribute("Rows a second by way: " + _spoken(race))}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" {label}>'
    ground = f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>'
    return "\n".join([head, STYLE, ground, *body, "</svg>", ""])


def draw_beside(path: Path) -> None:
    """Draw the results in *path* into the SVG beside it."""
    path.with_suffix(".svg").write_text(draw(results.read(path)), encoding="utf-8")


def _heading(title: str, top: float) -> Iterable[str]:
    yield _text(MARGIN, top + 14, title, "title")
    for right, head in HEADS:
        yield _text(right, top + 14, head, "small end")


def _row(race: Race, way: WayResult, top: float, scale: float) -> Iterable[str]:
    rate, of_loop = Spread.of(way.rates), race.of_loop(way)
    middle = top + ROW / 2
    kind = "product" if way.is_product else "other"
    figures = (f"{rate.median:,.0f}", "" if of_loop is None else ratio_text(of_loop), f"{way.cpu_per_million:,.2f}")
    yield _text(MARGIN, middle + 4, way.label)
    yield (
        f'<rect class="{kind}" x="{BARS_AT}" y="{middle - BAR / 2:g}" '
        f'width="{rate.median * scale:.1f}" height="{BAR}" rx="2"/>'
    )
    yield _whisker(BARS_AT + rate.low * scale, BARS_AT + rate.high * scale, middle)
    for (right, _), figure in zip(HEADS, figures, strict=True):
        yield _text(right, middle + 4, figure, "end")


def _whisker(low: float, high: float, middle: float) -> str:
    upper, lower = middle - SERIF, middle + SERIF
    ends = f"M{low:.1f} {upper:g}V{lower:g}M{high:.1f} {upper:g}V{lower:g}"
    return f'<path class="whisker" d="{ends}M{low:.1f} {middle:g}H{high:.1f}"/>'


def _notes(race: Race) -> Iterable[str]:
    runs = min(len(way.runs) for way in race.ways)
    said = f"Median of {runs} alternating runs, whiskers and brackets from the lowest to the highest. {facts(race)}."
    for note in (said, *extrapolated(race)):
        yield from textwrap.wrap(note, NOTE_CHARACTERS)


def _spoken(race: Race) -> str:
    return ", ".join(f"{way.label} {Spread.of(way.rates).median:,.0f}" for way in race.ways)


def _text(left: float, baseline: float, text: str, kind: str = "") -> str:
    given = f' class="{kind}"' if kind else ""
    return f'<text x="{left:g}" y="{baseline:g}"{given}>{escape(text)}</text>'


def _attribute(text: str) -> str:
    return escape(text, {'"': "&quot;"})


def main(arguments: Sequence[str]) -> None:
    """Draw."""
    draw_beside(Path(arguments[0]) if arguments else DEFAULT)


if __name__ == "__main__":
    main(sys.argv[1:])
