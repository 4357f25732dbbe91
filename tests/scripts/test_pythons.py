"""Which interpreters the script finds, among made-up ones that answer like the real."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "pythons.py"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Make a machine with several versions in pyenv and on the PATH."""
    add(tmp_path / "pyenv/versions/3.12.1/bin/python3", "cpython 3 12 1 final")
    add(tmp_path / "pyenv/versions/3.12.9/bin/python3", "cpython 3 12 9 final")
    add(tmp_path / "pyenv/versions/3.10.13/bin/python3", "cpython 3 10 13 final")
    add(tmp_path / "pyenv/versions/3.15-dev/bin/python3", "cpython 3 15 0 alpha")
    add(tmp_path / "pyenv/versions/pypy3.11/bin/python3", "pypy 3 11 0 final")
    add(tmp_path / "path/python3.13", "cpython 3 13 0 final")
    add(tmp_path / "path/python3.11", "cpython 3 11 7 final")
    add(tmp_path / "path/python3-config", "cpython 3 14 0 final")
    (tmp_path / "path/python3").symlink_to("python3.13")
    (tmp_path / "path/python3.14").symlink_to("gone")
    return tmp_path


def add(path: Path, answer: str) -> None:
    """Make a program at *path* that gives *answer* and its own name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho {answer} "$0"\n')
    path.chmod(0o755)


def find(machine: Path, *options: str) -> list[str]:
    """Return the lines that the script prints on *machine*."""
    environment = {**os.environ, "PYENV_ROOT": str(machine / "pyenv"), "PATH": str(machine / "path")}
    return subprocess.check_output([sys.executable, SCRIPT, *options], env=environment, text=True).splitlines()


def test_newest_of_each_minor_version_is_found_once(machine: Path) -> None:
    """Expect CPythons from 3.11 on, no test release, no broken link and nothing that only begins alike."""
    found = find(machine)

    assert [line.split()[0] for line in found] == ["3.11.7", "3.12.9", "3.13.0"]
    assert found[1].endswith("3.12.9/bin/python3")


def test_version_that_is_there_already_can_be_left_out(machine: Path) -> None:
    """Expect the others."""
    found = find(machine, "--without", "3.11")

    assert [line.split()[0] for line in found] == ["3.12.9", "3.13.0"]


def test_pyenv_is_looked_for_at_home(machine: Path) -> None:
    """Expect its default place to be read where no variable names another."""
    (machine / "pyenv").rename(machine / ".pyenv")
    environment = {"HOME": str(machine), "PATH": "/nowhere"}
    found = subprocess.check_output([sys.executable, SCRIPT], env=environment, text=True)

    assert found.startswith("3.12.9 ")
