"""Try each mutant and judge what its tests said."""

import enum
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutation.copies import Bench
from mutation.listing import Mutant
from mutation.run import FAILED, PASSED, Run, tail


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
class Result:
    """The outcome of one mutant, with what helps to mend it."""

    mutant: Mutant
    outcome: Outcome
    seconds: float = 0.0
    detail: str = ""


def find_fault(root: Path, mutant: Mutant) -> Result | None:
    """Return why *mutant* cannot be applied to the tree at *root*, or None when it can."""
    file = root / mutant.file
    if not file.resolve().is_relative_to(root.resolve()) or not file.is_file():
        return Result(mutant, Outcome.NO_TEXT, detail=f"there is no file {mutant.file}")
    count = file.read_text(encoding="utf-8").count(mutant.text)
    if count != 1:
        return Result(mutant, Outcome.NO_TEXT, detail=f"the text occurs {count} times in {mutant.file}")
    return None


def try_all(bench: Bench, root: Path, mutants: Sequence[Mutant], advance: Callable[[], None]) -> list[Result]:
    """Return the result of each of *mutants*, in their order; *advance* is called after each one tried."""
    faults = {mutant: fault for mutant in mutants if (fault := find_fault(root, mutant))}
    green = _find_green(bench, [mutant for mutant in mutants if mutant not in faults])

    def decide(mutant: Mutant) -> Result:
        result = faults.get(mutant) or _find_red(bench, mutant, green) or _judge(mutant, bench.run_broken(mutant))
        advance()
        return result

    return bench.map(decide, mutants)


def _find_green(bench: Bench, mutants: Sequence[Mutant]) -> set[str]:
    """Return those of the tests of *mutants* that pass in an unbroken copy, run together: the start of pytest counts most."""
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    shares = [share for first in range(bench.jobs) if (share := tests[first :: bench.jobs])]
    runs = zip(shares, bench.map(bench.run_unbroken, shares), strict=True)
    return {test for share, run in runs for test in share if run.is_green(test)}


def _find_red(bench: Bench, mutant: Mutant, green: set[str]) -> Result | None:
    """Return why the tests of *mutant* prove nothing, or None when they pass unbroken.

    Those that did not in the company of others, where one unknown name keeps all from running, are run again by themselves.
    """
    if green.issuperset(mutant.tests):
        return None
    run = bench.run_unbroken(mutant.tests)
    if all(run.is_green(test) for test in mutant.tests):
        return None
    return Result(mutant, Outcome.BAD_TEST, run.seconds, tail(run.output, 12))


def _judge(mutant: Mutant, run: Run) -> Result:
    """Return what *run*, made with *mutant* in force, proves."""
    failures = {test: run.failures_of(test) for test in mutant.tests}
    silent = [test for test, texts in failures.items() if not texts]
    if run.exit_code is None:
        return Result(mutant, Outcome.HUNG, run.seconds, "the tests never ended: give what they wait for a deadline")
    if run.exit_code not in (PASSED, FAILED):
        return Result(mutant, Outcome.BROKEN, run.seconds, tail(run.output, 12))
    if silent:
        return Result(mutant, Outcome.GREEN, run.seconds, "still green: " + ", ".join(silent))
    for test, texts in failures.items():
        if mutant.reason is not None and not any(re.search(mutant.reason, text) for text in texts):
            return Result(mutant, Outcome.OTHER_REASON, run.seconds, f"{test}:\n{tail(texts[0], 12)}")
    return Result(mutant, Outcome.RED, run.seconds)
