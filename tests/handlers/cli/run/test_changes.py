"""What `--reload` watches, and when it is told of it."""

import os
from pathlib import Path

import pytest

from millstream.handlers.cli.run.changes import Changes, look

A, B, C = Path("a.py"), Path("b.py"), Path("c.py")
FIRST = {A: (1, 10), B: (1, 10)}


def test_a_change_is_told_once_it_is_quiet():
    """Not while another look finds something new, and only once."""
    changes = Changes(FIRST)
    looks = [FIRST, {**FIRST, A: (2, 10)}, {**FIRST, A: (3, 12)}, {**FIRST, A: (3, 12)}, {**FIRST, A: (3, 12)}]

    assert [changes.see(each) for each in looks] == [[], [], [], [A], []]


def test_new_files_and_those_that_are_gone_are_changes():
    """All of them together, when several were written one after the other."""
    changes = Changes(FIRST)
    changes.see({A: (1, 10), C: (5, 1)})

    assert changes.see({A: (1, 10), C: (5, 1)}) == [B, C]


def test_what_is_as_it_was_is_no_change():
    """A file that was written and put back the same before anybody looked twice."""
    changes = Changes(FIRST)

    assert [changes.see(each) for each in ({**FIRST, A: (2, 0)}, FIRST, FIRST)] == [[], [], []]


def write(*paths):
    """Write each of *paths*, and its folder."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_sources_at_any_depth_and_the_settings_are_looked_at(tmp_path):
    """Also a settings file that is not there yet."""
    app, deep, settings = tmp_path / "app.py", tmp_path / "package" / "inner" / "part.py", tmp_path / "millstream.toml"
    write(app, deep, tmp_path / "notes.txt")
    before = look(tmp_path, [settings])
    write(settings)

    assert set(before) == {app, deep}
    assert set(look(tmp_path, [settings])) == {app, deep, settings}
    assert set(look(None, [settings])) == {settings}


@pytest.mark.parametrize("folder", [".venv", "__pycache__", ".git", "node_modules", "environment"])
def test_what_was_installed_or_made_is_passed_over(tmp_path, folder):
    """Thousands of files that nobody edits."""
    write(tmp_path / "app.py", tmp_path / folder / "lib" / "x.py", tmp_path / "environment" / "pyvenv.cfg")

    assert set(look(tmp_path, [])) == {tmp_path / "app.py"}


def test_a_file_that_is_written_again_looks_different(tmp_path):
    """By its time, also where it is as long as before."""
    write(app := tmp_path / "app.py")
    before = look(tmp_path, [])
    os.utime(app, ns=(0, 12_345))

    assert look(tmp_path, []) != before
