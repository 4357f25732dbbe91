"""The page on the architecture names files that are there."""

import re

import pytest

from millstream import router
from tests.guards.sources import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LIFE = router.__doc__ or ""


def find_paths(text: str) -> list[str]:
    """Return the paths that stand between backticks in *text*: with a slash, and a file or a folder."""
    return [each for each in re.findall(r"`([^`\s]+)`", text) if re.fullmatch(r"[a-z_]+/[a-z_/.]*", each)]


def test_every_path_of_the_page_exists() -> None:
    """Expect a moved file to be moved on the page as well."""
    paths = find_paths(PAGE)

    assert len(paths) > 30
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_path_in_the_life_of_a_message_exists() -> None:
    """Expect the docstring of the router to lead the reader to files that are there."""
    paths = find_paths(LIFE)

    assert len(paths) >= 10
    assert [path for path in paths if not (ROOT / "router" / path).exists()] == []


def test_every_room_is_drawn() -> None:
    """Expect each room of the router and of handlers to be on the drawing, and the drawing to hold no other."""
    drawing = PAGE.partition("```mermaid")[2].partition("```")[0]
    rooms = [path.parent for room in ("router", "handlers") for path in (ROOT / room).glob("*/__init__.py")]

    assert sorted(room.name for room in rooms if room.name not in drawing) == ["testing"]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_page_is_linked(page: str) -> None:
    """Expect whoever reads one of the first pages to find this one."""
    assert "docs/architecture.md" in (ROOT / page).read_text(encoding="utf-8")


def test_a_path_that_is_gone_is_found() -> None:
    """Expect the finder to see files and folders, and no other words between backticks."""
    found = find_paths("`router/gone.py` and `router/memory/`, `kafka-poll-…`, `make check`, `Store`")

    assert found == ["router/gone.py", "router/memory/"]
