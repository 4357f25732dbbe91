"""Bento, built once with Go into the user's cache folder.

From its own `go.mod` and `go.sum`, so with the versions that it is released with.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.race.ways import RaceError

MODULE, VERSION = "github.com/warpstreamlabs/bento", "v1.20.0"
SUMS = f"""\
{MODULE} {VERSION} h1:7ESltDlpNqWAG6Sa/le+n76HZc/1Wi37Klt6S68sk6A=
{MODULE} {VERSION}/go.mod h1:TnKqguqySYuF0+siMcZEPVLaPxQYl4yf7iDct4XGfew=
"""
FOLDER = Path(__file__).with_name("bento")
BUILD_SECONDS = 3600


def program_path() -> Path:
    """Return where the program lies or will lie, another place for each version: below `$XDG_CACHE_HOME`, else `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "millstream" / f"bento-{VERSION}" / "bento"


def build() -> Path:
    """Return the program; the first time, build it, which takes some minutes.

    Raises:
        RaceError: there is no Go, or it cannot build it.
    """
    path = program_path()
    if path.is_file():
        return path
    if shutil.which("go") is None:
        raise RaceError("Go is not here to build it")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as temporary:
        folder = Path(temporary)
        _lay_out(folder)
        _go(folder, "build", "-buildvcs=false", "-o", "bento", ".")
        (folder / "bento").rename(path)
    return path


def _lay_out(folder: Path) -> None:
    told = json.loads(_go(folder, "mod", "download", "-json", f"{MODULE}@{VERSION}"))
    fetched = Path(told["Dir"])
    (folder / "go.mod").write_bytes((fetched / "go.mod").read_bytes())
    (folder / "go.sum").write_text((fetched / "go.sum").read_text() + SUMS)
    _go(folder, "mod", "edit", "-module=race", f"-require={MODULE}@{VERSION}")
    shutil.copy(FOLDER / "main.go", folder)


def _go(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["go", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=BUILD_SECONDS,
    )
    if done.returncode:
        raise RaceError(f"go {arguments[0]} said: {_reason(done)}")
    return done.stdout


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    if done.stdout.startswith("{"):  # of a download: as JSON where it is asked for that
        return str(json.loads(done.stdout).get("Error", "nothing"))
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"
