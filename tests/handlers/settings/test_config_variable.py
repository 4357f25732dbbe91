"""A settings file that the environment names: for programs that have no `--config`."""

import pytest

from millstream.handlers import load_settings
from millstream.router import ConfigurationError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a file of the usual name and two others."""
    monkeypatch.chdir(tmp_path)
    for name, size in (("millstream.toml", 1), ("named.toml", 2), ("given.toml", 3)):
        (tmp_path / name).write_text(f"[batch]\nbatch_size = {size}\n")
    return tmp_path


def test_the_environment_names_another_file(folder):
    """In place of the one of the usual name; empty names none."""
    sizes = [load_settings(environ={"MILLSTREAM_CONFIG": name}).batch.batch_size for name in ("named.toml", "")]

    assert sizes == [2, 1]


def test_a_file_that_is_given_wins(folder):
    """As `--config` does over the variable."""
    assert load_settings(folder / "given.toml", {"MILLSTREAM_CONFIG": "named.toml"}).batch.batch_size == 3


def test_a_named_file_has_to_exist(folder):
    """Nobody who names one wants the defaults."""
    with pytest.raises(ConfigurationError, match=r"cannot read nowhere.toml: No such file"):
        load_settings(environ={"MILLSTREAM_CONFIG": "nowhere.toml"})
