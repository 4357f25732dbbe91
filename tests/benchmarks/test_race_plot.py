"""The picture of a race."""

import itertools
import re
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from benchmarks.race import results
from benchmarks.race.plot import BARS_AT, BARS_WIDTH, HEADS, NOTE_CHARACTERS, WIDTH, draw, main
from benchmarks.race.ways import WAYS
from tests.benchmarks.race_aids import SMALL, make_race

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"


def elements(svg: str, tag: str, kind: str | None = None) -> list[ElementTree.Element]:
    """Return the elements *tag* of a picture, of the class *kind* where one is given."""
    found = ElementTree.fromstring(svg).iter(SVG + tag)
    return [each for each in found if kind is None or each.get("class") == kind]


def bars(svg: str) -> list[float]:
    """Return how long the bars are, from top to bottom."""
    return [float(bar.get("width", "")) for bar in elements(svg, "rect") if bar.get("class") != "ground"]


def test_bars_are_as_long_as_their_medians() -> None:
    """Expect the fastest single run to be as long as there is room, and medians in proportion."""
    assert bars(draw(SMALL)) == pytest.approx([BARS_WIDTH * share for share in (1, 0.5, 0.5, 0.2, 0.1)], abs=0.1)


def test_a_whisker_goes_from_the_lowest_to_the_highest() -> None:
    """Expect that of the product, which ran at a quarter, a half and the whole of the fastest."""
    path = elements(draw(SMALL), "path", "whisker")[2].get("d", "")
    low, high = BARS_AT + BARS_WIDTH / 4, BARS_AT + BARS_WIDTH

    assert re.fullmatch(rf"M{low:.1f} \d+V\d+M{high:.1f} \d+V\d+M{low:.1f} \d+H{high:.1f}", path)


def test_every_way_is_named_with_its_figures() -> None:
    """Expect label, median, ratio and CPU time of each as text."""
    said = [each.text for each in elements(draw(SMALL), "text")]

    assert {way.label for way in SMALL.ways} <= set(said)
    assert said[said.index("product") :][:4] == ["product", "500", "0.50 (0.50 to 1.00)", "1,000.00"]


def test_the_same_results_look_the_same() -> None:
    """Expect the same text from results that were written and read."""
    again = msgspec.json.decode(msgspec.json.encode(SMALL), type=results.Race)

    assert draw(again) == draw(SMALL)


def test_nothing_lies_outside_and_nothing_overlaps_downwards() -> None:
    """Expect each row, of all the ways there are, below the one before and inside the picture."""
    svg = draw(make_race({way.name: [1.0, 2.0] for way in WAYS}))
    root = ElementTree.fromstring(svg)
    tops = [float(bar.get("y", "")) for bar in elements(svg, "rect")[1:]]

    assert len(tops) == len(WAYS)
    assert all(upper + 20 <= lower for upper, lower in itertools.pairwise(tops))
    assert max(float(text.get("y", "")) for text in elements(svg, "text")) < float(root.get("height", ""))
    assert float(root.get("width", "")) == WIDTH


def test_figures_stay_in_their_columns() -> None:
    """Expect even the longest figures to begin behind the column before, at a width that no character has."""
    few = {way.name: [1.0, 2.0] for way in WAYS} | {"unbatched": [2400.0, 2500.0]}
    ends = [BARS_AT + BARS_WIDTH, *(right for right, _ in HEADS)]
    for text in elements(draw(make_race(few, events=1_000_000)), "text", "end"):
        right, said = float(text.get("x", "")), text.text or ""

        assert right - 7 * len(said) > ends[ends.index(right) - 1], said


def test_notes_end_inside() -> None:
    """Expect what it was measured on to go on in another line."""
    notes = [text.text or "" for text in elements(draw(SMALL), "text", "small")]

    assert max(map(len, notes)) <= NOTE_CHARACTERS
    assert " ".join(notes).endswith("<Bento> 1.20 & more.")


def test_both_colour_schemes_colour_the_same_things() -> None:
    """Expect each class with a colour in the light scheme to have another one in the dark scheme."""
    light, dark = draw(SMALL).split("@media (prefers-color-scheme: dark)")
    coloured = [
        dict(re.findall(r"^(\.?\w+) \{.*(?:fill|stroke): (#\w+)", part, re.MULTILINE)) for part in (light, dark)
    ]

    assert coloured[0].keys() == coloured[1].keys() >= {"text", ".ground", ".product", ".other", ".whisker"}
    assert not set(coloured[0].items()) & set(coloured[1].items())


def test_names_from_outside_are_escaped() -> None:
    """Expect a picture that can be parsed, with the versions as they are."""
    said = " ".join(each.text or "" for each in elements(draw(SMALL), "text"))

    assert "<Bento> 1.20 & more" in said


def test_the_command_draws_beside_the_results(tmp_path: Path) -> None:
    """Expect the SVG of the JSON that is named, beside it."""
    results.write(SMALL, tmp_path / "race.json")
    main([str(tmp_path / "race.json")])

    assert (tmp_path / "race.svg").read_text(encoding="utf-8") == draw(SMALL)


def test_the_picture_in_the_repository_is_of_the_results_beside_it() -> None:
    """Expect no picture without results, no results without a picture, and nothing worth less than publishing."""
    folder = ROOT / "benchmarks"
    kept = [results.read(path) for path in folder.glob("race.json")]

    assert [path.read_text(encoding="utf-8") for path in folder.glob("race.svg")] == [draw(race) for race in kept]
    assert all(race.is_worth_publishing for race in kept)
