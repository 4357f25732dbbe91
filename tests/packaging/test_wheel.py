"""What is built from a clean clone works where nothing else is: in an empty environment, far from the repository."""

import os
import subprocess
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

IMPORT_EVERYTHING = """
import importlib, importlib.resources, importlib.util, pkgutil, sys
import millstream
packages = ["millstream"] + [found.name for found in pkgutil.walk_packages(millstream.__path__, "millstream.") if found.ispkg]
for package in packages:
    module = importlib.import_module(package)
    for name in getattr(module, "__all__", ()):
        getattr(module, name)
for room in ("router", "middleware", "handlers"):
    assert f"millstream.{room}" in packages, packages
    assert importlib.util.find_spec(room) is None, f"{room} is installed at the top level"
assert importlib.resources.files("millstream").joinpath("py.typed").is_file()
assert "site-packages" in millstream.__file__, millstream.__file__
"""


def call(*command: str | Path, cwd: Path, timeout: float = 600) -> None:
    """Run a command that has to succeed; what it printed is the failure's text."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("MILLSTREAM_", "PYTHON"))}
    done = subprocess.run(
        command, cwd=cwd, env=settings, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout
    )

    assert done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}"


@pytest.mark.slow
@pytest.mark.long
def test_the_wheel_of_a_clean_clone_runs_in_an_empty_environment(tmp_path: Path) -> None:
    """The demo runs, every public name is there, and no room lies at the top level."""
    away = tmp_path / "away"
    away.mkdir()
    call("git", "clone", "--quiet", ROOT, "clone", cwd=tmp_path)
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    call(python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", "wheels", "./clone", cwd=tmp_path)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    options = ("-q", "--no-compile", "-c", ROOT / "constraints.txt")  # compiled is what the next lines import
    call(python, "-m", "pip", "install", *options, f"{wheel}[embedded]", cwd=away)

    call(python, "-W", "error", "-c", IMPORT_EVERYTHING, cwd=away)
    call(python.with_name("millstream"), "demo", "--events", "1000", cwd=away, timeout=120)
