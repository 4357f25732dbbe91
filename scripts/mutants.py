"""Break each guarantee on purpose and see that its test turns red.

    .venv/bin/python scripts/mutants.py [--only WORDS] [--jobs 2]

`tests/mutants.toml` names the package under test and one table per mutant:

    package = "millstream"

    [[mutant]]
    guard = "a hold that was failed cannot be released afterwards"   # the guarantee, in words
    file = "router/delivery/hold.py"
    text = "..."           # must occur exactly once in the file
    replacement = "..."
    test = "tests/router/delivery/test_hold.py::test_first_word_counts"       # or a list: each of them must turn red
    reason = "is_void"       # may be left out: a regular expression, found in what each of these tests fails with

Rules: the working tree is never touched, every mutant lives in a copy. A test counts only if it passes in the unbroken copy.
Red means that each named test ran and failed, for the reason if one is given: pytest's short traceback, with the line of the
assert, has to match it. A mutant that cannot be imported, finds no test or hangs proves nothing.
Exit code: 0 all red; 1 something was not; 2 the list cannot be used.
"""

import argparse
import enum
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

# What a copy does not need. Byte code above all: Python takes a cached file for current when size and second agree.
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "millstream-data")
PASSED, FAILED = 0, 1  # exit codes of pytest; the others mean that it could not run


Job = TypeVar("Job")
Answer = TypeVar("Answer")


class ListError(Exception):
    """The list of mutants cannot be used; the text says why."""


class Outcome(enum.Enum):
    """How a mutant ended; only `RED` is good."""

    RED = "red"
    GREEN = "green: nobody noticed"
    OTHER_REASON = "red for another reason"
    NO_TEXT = "text not found once"
    BAD_TEST = "test not green unbroken"
    BROKEN = "could not run"
    HUNG = "hung"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way to break one guarantee, and the tests that must notice."""

    guard: str
    file: str
    text: str
    replacement: str
    tests: tuple[str, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of pytest said; *exit_code* is None when it was ended at the time limit."""

    exit_code: int | None
    output: str
    seconds: float
    failures: list[tuple[str, str]] = field(default_factory=list)
    """The dotted name of each test that failed, and its traceback."""

    def failures_of(self, test: str) -> list[str]:
        """Return how *test* (a node id, or a file or class that holds others) failed: not at all, or once per case."""
        path, bracket, parameters = test.partition("[")
        file, *names = path.split("::")
        name = ".".join([file.removesuffix(".py").replace("/", "."), *names]) + bracket + parameters
        inner = (f"{name}[", f"{name}.")
        return [text for each, text in self.failures if each == name or each.startswith(inner)]


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one mutant, with what helps to mend it."""

    mutant: Mutant
    outcome: Outcome
    seconds: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the tree in which one run at a time may change a file."""

    root: Path
    temporary: Path

    def environment(self) -> dict[str, str]:
        """Return the environment in which the copy's modules come before the installed ones."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        return kept | {"PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1", "TERM": "dumb"}

    def require_own(self, package: str) -> None:
        """Raise ListError unless *package* is imported from here: an editable install points at the original."""
        command = [sys.executable, "-c", f"import {package}; print({package}.__file__)"]
        found = subprocess.run(
            command, cwd=self.root, env=self.environment(), capture_output=True, text=True, check=False
        )
        lines = found.stdout.splitlines()
        if found.returncode or not lines or not Path(lines[-1]).resolve().is_relative_to(self.root):
            raise ListError(
                f"package {package!r} is not imported from the copy: {_tail(found.stdout + found.stderr, 3)}"
            )

    def run(self, tests: Sequence[str], timeout: float) -> Run:
        """Run *tests* with pytest, slow ones too, and wait for at most *timeout* seconds."""
        report = self.root.with_suffix(".xml")
        command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=short", "--color=no", "-p", "no:cacheprovider"]
        command += ["-m", "", f"--basetemp={self.temporary}", f"--junitxml={report}", *tests]
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            # The whole session: a test may have started processes that hold the pipe open.
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return Run(None, output, time.monotonic() - began)
        failures = _failures(report) if process.returncode == FAILED else []
        return Run(process.returncode, output, time.monotonic() - began, failures)


def _failures(report: Path) -> list[tuple[str, str]]:
    """Return the dotted names and tracebacks of the failed tests in *report*, a file in JUnit's form."""
    cases = ElementTree.parse(report).iter("testcase")
    names = [(f"{case.get('classname')}.{case.get('name')}", case.find("failure")) for case in cases]
    return [(name, failure.text or "") for name, failure in names if failure is not None]


class Bench:
    """The copies, each lent to one thread at a time."""

    def __init__(self, root: Path, folder: Path, jobs: int, timeout: float) -> None:
        self._timeout = timeout
        self._jobs = jobs
        self._free: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for number in range(jobs):
            copy = Copy(folder / f"copy{number}", folder / f"temporary{number}")
            shutil.copytree(root, copy.root, symlinks=True, ignore=LEFT_OUT)
            self._free.put(copy)

    def require_own(self, package: str) -> None:
        """Raise ListError unless *package* is imported from the copies."""
        with self._lend() as copy:
            copy.require_own(package)

    def map(self, work: Callable[[Job], Answer], jobs: Sequence[Job]) -> list[Answer]:
        """Return the answers of *work* in the order of *jobs*, as many at a time as there are copies."""
        with ThreadPoolExecutor(self._jobs) as threads:
            return list(threads.map(work, jobs))

    def baseline(self, tests: tuple[str, ...]) -> Run:
        """Run *tests* in an unbroken copy."""
        with self._lend() as copy:
            return copy.run(tests, self._timeout)

    def try_out(self, mutant: Mutant) -> Result:
        """Run the tests of *mutant* in a copy broken by it, and mend the copy."""
        with self._lend() as copy:
            file = copy.root / mutant.file
            original = file.read_text(encoding="utf-8")
            file.write_text(original.replace(mutant.text, mutant.replacement), encoding="utf-8")
            try:
                return _judge(mutant, copy.run(mutant.tests, self._timeout))
            finally:
                file.write_text(original, encoding="utf-8")

    @contextmanager
    def _lend(self) -> Iterator[Copy]:
        copy = self._free.get()
        try:
            yield copy
        finally:
            self._free.put(copy)


def read_list(path: Path) -> tuple[str, list[Mutant]]:
    """Return the package under test and the mutants that *path* names; raise ListError when it cannot be used."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ListError(f"{path.name}: {error}") from error
    package = content.get("package")
    if not isinstance(package, str) or not package.isidentifier():
        raise ListError(f"{path.name}: `package` must name the package under test")
    return package, [_mutant(path.name, number, table) for number, table in enumerate(content.get("mutant", []), 1)]


def _mutant(source: str, number: int, table: dict[str, Any]) -> Mutant:
    """Return the mutant that *table*, the one with *number* in its file, describes."""
    fields = ("guard", "file", "text", "replacement")
    tests = table.get("test")
    tests = [tests] if isinstance(tests, str) else tests
    if set(table) - {"reason"} != {*fields, "test"} or not all(isinstance(table[each], str) for each in fields):
        raise ListError(f"{source}: mutant {number} must have the strings {', '.join(fields)}, and test")
    if not isinstance(tests, list) or not tests or not all(isinstance(test, str) for test in tests):
        raise ListError(f"{source}: mutant {number}: `test` must be a pytest node id or a list of them")
    if table["text"] == table["replacement"]:
        raise ListError(f"{source}: mutant {number} changes nothing")
    reason = table.get("reason")
    try:
        re.compile("" if reason is None else reason)
    except (TypeError, re.error) as error:
        raise ListError(f"{source}: mutant {number}: `reason` must be a regular expression: {error}") from error
    return Mutant(table["guard"], table["file"], table["text"], table["replacement"], tuple(tests), reason)


def find_fault(root: Path, mutant: Mutant) -> Result | None:
    """Return why *mutant* cannot be applied to the tree at *root*, or None when it can."""
    file = root / mutant.file
    if not file.resolve().is_relative_to(root.resolve()) or not file.is_file():
        return Result(mutant, Outcome.NO_TEXT, detail=f"there is no file {mutant.file}")
    count = file.read_text(encoding="utf-8").count(mutant.text)
    if count != 1:
        return Result(mutant, Outcome.NO_TEXT, detail=f"the text occurs {count} times in {mutant.file}")
    return None


def _judge(mutant: Mutant, run: Run) -> Result:
    """Return what *run*, made with *mutant* in force, proves."""
    failures = {test: run.failures_of(test) for test in mutant.tests}
    silent = [test for test, texts in failures.items() if not texts]
    if run.exit_code is None:
        return Result(mutant, Outcome.HUNG, run.seconds, "the tests never ended: give what they wait for a deadline")
    if run.exit_code not in (PASSED, FAILED):
        return Result(mutant, Outcome.BROKEN, run.seconds, _tail(run.output, 12))
    if silent:
        return Result(mutant, Outcome.GREEN, run.seconds, "still green: " + ", ".join(silent))
    for test, texts in failures.items():
        if mutant.reason is not None and not any(re.search(mutant.reason, text) for text in texts):
            return Result(mutant, Outcome.OTHER_REASON, run.seconds, f"{test}:\n{_tail(texts[0], 12)}")
    return Result(mutant, Outcome.RED, run.seconds)


def run_all(bench: Bench, root: Path, mutants: Sequence[Mutant], advance: Callable[[], None]) -> list[Result]:
    """Return the result of each of *mutants*, in their order; *advance* is called after each one tried."""
    faults = {mutant: fault for mutant in mutants if (fault := find_fault(root, mutant))}
    test_sets = sorted({mutant.tests for mutant in mutants if mutant not in faults})
    baselines = dict(zip(test_sets, bench.map(bench.baseline, test_sets), strict=True))

    def decide(mutant: Mutant) -> Result:
        result = faults.get(mutant)
        if result is None:
            baseline = baselines[mutant.tests]
            is_green = baseline.exit_code == PASSED
            bad = Result(mutant, Outcome.BAD_TEST, baseline.seconds, _tail(baseline.output, 12))
            result = bench.try_out(mutant) if is_green else bad
        advance()
        return result

    return bench.map(decide, mutants)


def report(console: Console, results: Sequence[Result]) -> None:
    """Print a table of *results* and, below it, what to look at."""
    table = Table("guard", "outcome", title="Mutants", title_justify="left")
    table.add_column("seconds", justify="right")
    for result in results:
        colour = "green" if result.outcome is Outcome.RED else "bold red"
        table.add_row(escape(result.mutant.guard), f"[{colour}]{result.outcome.value}[/]", f"{result.seconds:.1f}")
    console.print(table)
    for result in results:
        if result.outcome is not Outcome.RED:
            console.print(
                f"[bold]{escape(result.mutant.guard)}[/] ({escape(result.mutant.file)}): {escape(result.detail)}"
            )
    red = sum(result.outcome is Outcome.RED for result in results)
    console.print(f"{red} of {len(results)} mutants turned their tests red")


def _tail(text: str, lines: int) -> str:
    """Return the last *lines* lines of *text*."""
    return "\n".join(text.strip().splitlines()[-lines:])


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Break each guarantee on purpose and see that its test turns red.")
    parser.add_argument(
        "--only", metavar="WORDS", default="", help="only mutants whose guard, file or test contains this"
    )
    parser.add_argument("--jobs", type=int, default=2, help="how many mutants at a time (default: 2)")
    parser.add_argument(
        "--timeout", type=float, default=120.0, help="seconds for the tests of one mutant (default: 120)"
    )
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent, help="the tree to copy")
    return parser.parse_args(arguments)


def choose(mutants: Sequence[Mutant], words: str) -> list[Mutant]:
    """Return those of *mutants* that mention *words*, in any case of letters; raise ListError when none does."""
    chosen = [each for each in mutants if words.lower() in "\n".join((each.guard, each.file, *each.tests)).lower()]
    if not chosen:
        raise ListError(f"no mutant mentions {words!r}" if words else "the list holds no mutant")
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the list and return the exit code."""
    options = parse(arguments)
    # A pipe has no width of its own: 80 columns would fold every guard.
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        package, mutants = read_list(options.root / "tests" / "mutants.toml")
        mutants = choose(mutants, options.only)
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            bench = Bench(options.root, Path(folder).resolve(), max(1, options.jobs), options.timeout)
            bench.require_own(package)
            with Progress(console=Console(stderr=True), transient=True) as progress:
                task = progress.add_task("mutants", total=len(mutants))
                results = run_all(bench, options.root, mutants, lambda: progress.advance(task))
    except ListError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    report(console, results)
    return 0 if all(result.outcome is Outcome.RED for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
