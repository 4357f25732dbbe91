"""Break each guarantee on purpose and see that its test turns red.

    .venv/bin/python scripts/mutants.py [--only WORDS] [--jobs 10]

`tests/mutants.toml` names the package under test and one table per mutant:

    package = "millstream"
    preload = ["hypothesis"]     # may be left out: modules of others that most tests import, imported once for all

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
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from mutation.copies import Bench
from mutation.listing import ListError, choose, read_list, read_preload
from mutation.trial import Outcome, Result, find_fault, try_all
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

__all__ = ["find_fault", "main", "read_list"]


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


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Break each guarantee on purpose and see that its test turns red.")
    parser.add_argument(
        "--only", metavar="WORDS", default="", help="only mutants whose guard, file or test contains this"
    )
    parser.add_argument(
        "--jobs", type=int, default=10, help="how many mutants at a time (default: 10, for two cores: most tests wait)"
    )
    parser.add_argument(
        "--timeout", type=float, default=120.0, help="seconds for the tests of one mutant (default: 120)"
    )
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent, help="the tree to copy")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the list and return the exit code."""
    options = parse(arguments)
    # A pipe has no width of its own: 80 columns would fold every guard.
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        file = options.root / "tests" / "mutants.toml"
        package, mutants = read_list(file)
        mutants = choose(mutants, options.only)
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            jobs = max(1, min(options.jobs, len(mutants)))
            bench = Bench(options.root, Path(folder).resolve(), jobs, options.timeout, read_preload(file))
            with closing(bench), Progress(console=Console(stderr=True), transient=True) as progress:
                bench.require_own(package)
                task = progress.add_task("mutants", total=len(mutants))
                results = try_all(bench, options.root, mutants, lambda: progress.advance(task))
    except ListError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    report(console, results)
    return 0 if all(result.outcome is Outcome.RED for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
