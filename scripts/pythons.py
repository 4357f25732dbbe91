"""List the CPythons of this machine that Millstream says it runs on, one of each minor version, newest patch first.

    python3 scripts/pythons.py [--without 3.11]         # a line for each: version and path

Looked for among pyenv's versions and on the PATH. A shim, or a name that leads to nothing, is passed over.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

OLDEST = (3, 11)
ASK = "import sys; v = sys.version_info; print(sys.implementation.name, v[0], v[1], v[2], v[3], sys.executable)"
ANSWER_SECONDS = 30.0

Version = tuple[int, int, int]


def candidates(environment: dict[str, str]) -> list[Path]:
    """Return what may be an interpreter, each path once."""
    pyenv = Path(environment.get("PYENV_ROOT") or Path(environment.get("HOME", "/")) / ".pyenv")
    folders = [Path(each) for each in environment.get("PATH", "").split(os.pathsep) if each]
    found = [*pyenv.glob("versions/*/bin/python3")]
    found += [path for folder in folders for path in folder.glob("python3*") if is_plain(path.name)]
    return list(dict.fromkeys(found))


def is_plain(name: str) -> bool:
    """Whether *name* is that of an interpreter: `python3`, `python3.12`, but not `python3-config`."""
    return name.removeprefix("python3").removeprefix(".").isdigit() or name == "python3"


def ask(path: Path) -> tuple[Version, str] | None:
    """Return the version of the CPython at *path* and where it really is; None for anything else, and for a test release."""
    try:
        answer = subprocess.run(
            [path, "-c", ASK], capture_output=True, text=True, check=False, timeout=ANSWER_SECONDS
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    name, major, minor, micro, level, executable = [*answer.strip().split(" ", 5), *[""] * 6][:6]
    if name != "cpython" or level != "final":
        return None
    return (int(major), int(minor), int(micro)), executable


def choose(answers: Iterable[tuple[Version, str]], without: str) -> list[tuple[Version, str]]:
    """Return the newest of each minor version that is new enough, but for the version *without*, as in "3.11"."""
    newest: dict[tuple[int, int], tuple[Version, str]] = {}
    for version, path in answers:
        minor = version[:2]
        if minor >= OLDEST and f"{minor[0]}.{minor[1]}" != without and version > newest.get(minor, ((0, 0, 0), ""))[0]:
            newest[minor] = (version, path)
    return sorted(newest.values())


def main() -> int:
    """Print the list."""
    parser = argparse.ArgumentParser(description="List the CPythons that Millstream runs on.")
    parser.add_argument("--without", metavar="3.11", default="", help="leave this version out")
    without = parser.parse_args().without
    answers = [answer for path in candidates(dict(os.environ)) if (answer := ask(path)) is not None]
    for version, path in choose(answers, without):
        print(".".join(map(str, version)), path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
