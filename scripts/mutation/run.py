"""What one run of pytest said."""

from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

PASSED, FAILED = 0, 1  # exit codes of pytest; the others mean that it could not run
CUT_SHORT = 2  # the one that pytest has for a run that was interrupted


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of pytest said; *exit_code* is None when it was ended at the time limit."""

    exit_code: int | None
    output: str
    seconds: float
    passes: list[str] = field(default_factory=list)
    """The dotted name of each test that passed."""
    failures: list[tuple[str, str]] = field(default_factory=list)
    """The dotted name of each test that failed, and its traceback."""
    errors: list[str] = field(default_factory=list)
    """The dotted name of each test whose set-up or end failed."""

    def failures_of(self, test: str) -> list[str]:
        """Return how *test* (a node id, or a file or class that holds others) failed: not at all, or once per case."""
        return [text for name, text in self.failures if _is_case(name, test)]

    def is_green(self, test: str) -> bool:
        """Whether *test* ran and passed, every case of it that was not skipped."""
        reds = [*(name for name, _ in self.failures), *self.errors]
        has_passed = any(_is_case(name, test) for name in self.passes)
        return has_passed and not any(_is_case(name, test) for name in reds)


def read_report(report: Path, exit_code: int, output: str, seconds: float) -> Run:
    """Return the run that ended with *exit_code* and wrote *report*, a file in JUnit's form, if it came to its end."""
    run = Run(exit_code, output, seconds)
    if exit_code not in (PASSED, FAILED):
        return run
    if not report.exists():  # a test ended the process
        return Run(CUT_SHORT, output, seconds)
    for case in ElementTree.parse(report).iter("testcase"):
        name, failure = f"{case.get('classname')}.{case.get('name')}", case.find("failure")
        if failure is not None:
            run.failures.append((name, failure.text or ""))
        if case.find("error") is not None:
            run.errors.append(name)
        elif failure is None and case.find("skipped") is None:
            run.passes.append(name)
    return run


def tail(text: str, lines: int) -> str:
    """Return the last *lines* lines of *text*."""
    return "\n".join(text.strip().splitlines()[-lines:])


def _is_case(name: str, test: str) -> bool:
    """Whether the dotted *name* is that of *test*, a node id, or of a case or a part of it."""
    path, bracket, parameters = test.partition("[")
    file, *names = path.split("::")
    dotted = ".".join([file.removesuffix(".py").replace("/", "."), *names]) + bracket + parameters
    return name == dotted or name.startswith((f"{dotted}[", f"{dotted}."))
