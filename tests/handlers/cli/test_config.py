"""`millstream config`: a documented file is written once, and what is in force is shown."""

import os
import stat

import pytest

from millstream.handlers.settings.toml_text import template
from tests.handlers.cli.main_in_process import run_main

NAME = "millstream.toml"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    """Nothing of the shell's settings."""
    monkeypatch.delenv("MILLSTREAM_CONFIG", raising=False)


def test_init_writes_a_file_that_check_accepts(tmp_path, capsys):
    """Readable by its owner only, as passwords may be put into it."""
    codes = [run_main("config", "init", folder=tmp_path), run_main("config", "check", folder=tmp_path)]
    out = capsys.readouterr().out

    assert codes == [0, 0]
    assert (tmp_path / NAME).read_text() == template()
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert "batch_size = 250" in out


def test_init_leaves_a_file_as_it_is(tmp_path, capsys):
    """One line, and exit code 2."""
    (tmp_path / NAME).write_text("[batch]\n")
    code = run_main("config", "init", folder=tmp_path)

    assert code == 2
    assert (tmp_path / NAME).read_text() == "[batch]\n"
    assert capsys.readouterr().err == f"millstream: {NAME} is there already, and stays as it is: name another file\n"


def test_init_tells_of_a_folder_that_is_missing(tmp_path, capsys):
    """One line, and exit code 2."""
    assert run_main("config", "init", "missing/a.toml", folder=tmp_path) == 2
    assert capsys.readouterr().err == "millstream: cannot write missing/a.toml: No such file or directory\n"


def test_init_writes_to_the_standard_output(tmp_path, capsys):
    """For a pipe; no file is made."""
    assert run_main("config", "init", "-", folder=tmp_path) == 0
    assert capsys.readouterr().out == template()
    assert list(tmp_path.iterdir()) == []


def test_init_tells_of_a_file_whose_name_has_no_letters(tmp_path, capsys):
    """Any bytes may be a name; stdout shows them with a backslash."""
    name = os.fsdecode(b"\xff.toml")

    assert run_main("config", "init", name, folder=tmp_path) == 0
    assert capsys.readouterr().out.startswith(r"\udcff.toml written")
    assert (tmp_path / name).exists()


def test_init_works_beside_settings_that_are_wrong(tmp_path):
    """It reads none."""
    (tmp_path / NAME).write_text("[bach]\n")

    assert run_main("config", "init", "other.toml", folder=tmp_path) == 0


def test_check_tells_of_a_mistake(tmp_path, capsys):
    """As every command does: one line with its place, exit code 2."""
    (tmp_path / NAME).write_text("[batch]\nbatch_size = 0\n")
    code = run_main("config", "check", folder=tmp_path)

    assert code == 2
    assert capsys.readouterr() == ("", f"millstream: {NAME}: batch.batch_size must be at least 1, not 0\n")


@pytest.mark.parametrize("command", ["init", "check"])
def test_help_shows_an_example(tmp_path, capsys, command):
    """To be typed as it stands."""
    assert run_main("config", command, "--help", folder=tmp_path) == 0
    assert f"millstream config {command}" in capsys.readouterr().out
