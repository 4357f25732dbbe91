"""Copies of the tree, each lent to one run of pytest at a time."""

import itertools
import os
import queue
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from mutation.fork_server import ForkServer
from mutation.listing import ListError, Mutant
from mutation.run import Run, read_report, tail

# What a copy does not need.
LEFT_OUT = shutil.ignore_patterns(".*", "*.egg-info", "build", "dist", "millstream-data")

Job = TypeVar("Job")
Answer = TypeVar("Answer")


def left_out(folder: str, names: list[str]) -> set[str]:
    """Return those of *names* in *folder* that a copy does not need.

    It keeps the byte code of this interpreter, as its files keep their times: ten copies that compile everything for themselves
    take longer than half of the mutants.
    """
    found = LEFT_OUT(folder, names)
    if Path(folder).name == "__pycache__":
        found |= {name for name in names if f".{sys.implementation.cache_tag}" not in name}
    return found


class Copy:
    """A copy of the tree at *root* in which one run at a time may change a file; *temporary* is where its tests write."""

    def __init__(self, root: Path, temporary: Path, preload: Sequence[str]) -> None:
        self.root = root
        self._temporary = temporary
        self._server = ForkServer(root, self.environment(), preload)
        self._changes = itertools.count(1)

    def environment(self) -> dict[str, str]:
        """Return the environment in which the copy's modules come before the installed ones.

        It keeps byte code: to rewrite the asserts of a test and all that it imports takes longer than most tests.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        # To look for plugins takes a tenth of a second of each run, and none is needed.
        return kept | {
            "PYTHONPATH": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "TERM": "dumb",
        }

    def close(self) -> None:
        """End the process that runs its tests."""
        self._server.close()

    def require_own(self, package: str) -> None:
        """Raise ListError unless *package* is imported from here: an editable install points at the original."""
        command = [sys.executable, "-c", f"import {package}; print({package}.__file__)"]
        found = subprocess.run(
            command, cwd=self.root, env=self.environment(), capture_output=True, text=True, check=False
        )
        lines = found.stdout.splitlines()
        if found.returncode or not lines or not Path(lines[-1]).resolve().is_relative_to(self.root):
            raise ListError(
                f"package {package!r} is not imported from the copy: {tail(found.stdout + found.stderr, 3)}"
            )

    @contextmanager
    def broken_by(self, mutant: Mutant) -> Iterator[None]:
        """Put *mutant* in force for the time of a `with` block."""
        file = self.root / mutant.file
        original, times = file.read_text(encoding="utf-8"), file.stat()
        file.write_text(original.replace(mutant.text, mutant.replacement), encoding="utf-8")
        # A second that the file never had in this copy: no byte code of another of its texts passes for this one's.
        os.utime(file, (times.st_atime, int(times.st_mtime) - next(self._changes)))
        try:
            yield
        finally:
            file.write_text(original, encoding="utf-8")
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))

    def run(self, tests: Sequence[str], timeout: float) -> Run:
        """Run *tests* with pytest, slow ones too, and wait for at most *timeout* seconds."""
        report, printed = self.root.with_suffix(".xml"), self.root.with_suffix(".txt")
        report.unlink(missing_ok=True)
        command = ["-q", "-rfE", "--tb=short", "--color=no", "-p", "no:cacheprovider"]
        command += ["-W", "ignore:Module already imported"]  # the asserts of what the server has imported are not ours
        command += ["-p", "no:xdist", "-m", "", f"--basetemp={self._temporary}", f"--junitxml={report}", *tests]
        began = time.monotonic()
        exit_code = self._server.run(command, printed, timeout)
        output, seconds = printed.read_text(encoding="utf-8", errors="replace"), time.monotonic() - began
        return Run(None, output, seconds) if exit_code is None else read_report(report, exit_code, output, seconds)


class Bench:
    """*jobs* copies of the tree at *root*, each lent to one thread at a time; *preload* is what their tests import anyway."""

    def __init__(self, root: Path, folder: Path, jobs: int, timeout: float, preload: Sequence[str] = ()) -> None:
        self.jobs = jobs
        """How many runs at a time."""
        self._timeout = timeout
        self._free: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for number in range(jobs):
            place = folder / f"copy{number}"
            shutil.copytree(root, place, symlinks=True, ignore=left_out)
            self._free.put(Copy(place, folder / f"temporary{number}", preload))

    def close(self) -> None:
        """End the processes of the copies; none may be lent."""
        while not self._free.empty():
            self._free.get().close()

    def require_own(self, package: str) -> None:
        """Raise ListError unless *package* is imported from the copies."""
        with self._lend() as copy:
            copy.require_own(package)

    def map(self, work: Callable[[Job], Answer], jobs: Sequence[Job]) -> list[Answer]:
        """Return the answers of *work* in the order of *jobs*, as many at a time as there are copies."""
        with ThreadPoolExecutor(self.jobs) as threads:
            return list(threads.map(work, jobs))

    def run_unbroken(self, tests: Sequence[str]) -> Run:
        """Run *tests* in an unbroken copy; each may take as long as those of one mutant."""
        with self._lend() as copy:
            return copy.run(tests, self._timeout * len(tests))

    def run_broken(self, mutant: Mutant) -> Run:
        """Run the tests of *mutant* in a copy broken by it, and mend the copy."""
        with self._lend() as copy, copy.broken_by(mutant):
            return copy.run(mutant.tests, self._timeout)

    @contextmanager
    def _lend(self) -> Iterator[Copy]:
        copy = self._free.get()
        try:
            yield copy
        finally:
            self._free.put(copy)
