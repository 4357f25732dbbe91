"""What `scripts/mutants.py` says about a tiny project, run as its users run it."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # a process for each test

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "mutants.py"
TESTS = """
import pytest
from tiny import add, wait

def test_adds(): assert add(2, 2) == 4
def test_adds_more(): assert add(3, 3) == 6
@pytest.mark.parametrize("a", [2, 3])
def test_adds_all(a): assert add(a, a) == 2 * a
def test_adds_nothing(): assert add(2, 0) == 2
def test_waits(): wait()
def test_is_red_anyway(): assert add(1, 1) == 3
"""

WHOLE = """
package = "tiny"
[[mutant]]
guard = "g"
file = "tiny.py"
text = "a"
replacement = "b"
test = "t"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a project of one module, one test file and an empty list of mutants."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tiny.py").write_text("def add(a, b):\n    return a + b\n\ndef wait(): pass\n")
    (tmp_path / "tests" / "test_tiny.py").write_text(TESTS)
    (tmp_path / "tests" / "mutants.toml").write_text('package = "tiny"\n')
    return tmp_path


def add_mutant(root: Path, guard: str, *tests: str, **changes: str) -> None:
    """Append one mutant to the list."""
    names = [f"tests/test_tiny.py::{test}" for test in tests]
    fields = {"guard": guard, "file": "tiny.py", "text": "a + b", "replacement": "a - b", **changes}
    with (root / "tests" / "mutants.toml").open("a") as stream:
        stream.write("[[mutant]]\n" + "".join(f"{name} = {value!r}\n" for name, value in fields.items()))
        stream.write(f"test = {names}\n")


def mutate(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the script on the project at *root*."""
    command = [sys.executable, str(SCRIPT), "--root", str(root), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_mutant_that_its_tests_notice_is_red(root: Path) -> None:
    """Expect exit code 0, the guard in the table, and a working tree that was never touched."""
    add_mutant(root, "sums are sums", "test_adds", "test_adds_more")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    run = mutate(root)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "sums are sums" in run.stdout
    assert "1 of 1 mutants" in run.stdout
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_a_survivor_is_reported_beside_the_killed_one(root: Path) -> None:
    """Expect exit code 1, and the name of the test that stayed green, even when another named one turned red."""
    add_mutant(root, "sums are sums", "test_adds")
    add_mutant(root, "nothing is added", "test_adds", "test_adds_nothing")

    run = mutate(root)

    assert run.returncode == 1
    assert "still green: tests/test_tiny.py::test_adds_nothing\n" in run.stdout
    assert "1 of 2 mutants" in run.stdout


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param({"text": "a * b"}, "the text occurs 0 times in tiny.py", id="text-missing"),
        pytest.param({"text": "def "}, "the text occurs 2 times in tiny.py", id="text-twice"),
        pytest.param({"file": "gone.py"}, "there is no file gone.py", id="file-missing"),
        pytest.param({"file": "../outside.py"}, "there is no file ../outside.py", id="file-outside"),
    ],
)
def test_a_mutant_that_fits_nowhere_fails_the_run(root: Path, change: dict[str, str], complaint: str) -> None:
    """Expect exit code 1 and the reason when a mutant cannot be applied at exactly one place of the tree."""
    (root.parent / "outside.py").write_text("a + b\n")
    add_mutant(root, "sums are sums", "test_adds", **change)

    run = mutate(root)

    assert run.returncode == 1
    assert complaint in run.stdout


@pytest.mark.parametrize(
    ("test", "replacement", "complaint"),
    [
        pytest.param("test_is_red_anyway", "a - b", "test not green unbroken", id="red-before"),
        pytest.param("test_unknown", "a - b", "test not green unbroken", id="no-such-test"),
        pytest.param("test_adds", "a +", "could not run", id="no-python"),
    ],
)
def test_red_for_another_reason_proves_nothing(root: Path, test: str, replacement: str, complaint: str) -> None:
    """Expect exit code 1 when the test cannot pass at all, or the mutant cannot be imported."""
    add_mutant(root, "sums are sums", test, replacement=replacement)

    run = mutate(root)

    assert run.returncode == 1
    assert complaint in run.stdout


def test_a_reason_is_found_in_the_failure_of_the_named_test(root: Path) -> None:
    """Expect a regular expression to match the error or the line of the assert, in one case of the test at least."""
    add_mutant(root, "the error", "test_adds", reason="assert 0 == 4")
    add_mutant(root, "the line of the assert", "test_adds", reason="add[(]2, 2[)] == 4")
    add_mutant(root, "one case", "test_adds_all", reason="assert 0 == [(]2 . 3[)]")
    add_mutant(root, "the named case", "test_adds_all[3]", reason="assert 0 == [(]2 . 3[)]")

    run = mutate(root)

    assert run.returncode == 0, run.stdout
    assert "4 of 4 mutants" in run.stdout


def test_red_for_another_reason_than_the_given_one_proves_nothing(root: Path) -> None:
    """Expect exit code 1, with the failure to look at, when the named test, or the named case of it, fails otherwise."""
    add_mutant(root, "another error", "test_adds", reason="assert 1 == 4")
    add_mutant(root, "another test", "test_adds", "test_adds_more", reason="assert 0 == 4")
    add_mutant(root, "another case", "test_adds_all[2]", reason="assert 0 == [(]2 . 3[)]")

    run = mutate(root)

    assert run.returncode == 1
    assert run.stdout.count("red for another reason") == 3
    assert [f"E   assert 0 == {each}\n" in run.stdout for each in ("4", "6", "(2 * 2)")] == [True, True, True]


def test_a_mutant_that_hangs_is_ended_and_reported(root: Path) -> None:
    """Expect the run to end after the time limit with exit code 1."""
    add_mutant(root, "waiting ends", "test_waits", text="pass", replacement="__import__('threading').Event().wait()")

    run = mutate(root, "--timeout", "6")

    assert run.returncode == 1
    assert "hung" in run.stdout


def test_a_package_that_lies_outside_the_copy_is_refused(root: Path) -> None:
    """Expect exit code 2 when the copy's tests would import an installed package instead of the copy."""
    add_mutant(root, "sums are sums", "test_adds")
    listed = root / "tests" / "mutants.toml"
    listed.write_text(listed.read_text().replace('package = "tiny"', 'package = "rich"'))

    run = mutate(root)

    assert run.returncode == 2
    assert "package 'rich' is not imported from the copy" in run.stderr


def test_only_chooses_by_words_of_the_guard(root: Path) -> None:
    """Expect only the mutants whose guard, file or test mentions the words to be tried."""
    add_mutant(root, "Sums are sums", "test_adds")
    add_mutant(root, "nothing is added", "test_adds_nothing")

    run = mutate(root, "--only", "sums")

    assert run.returncode == 0, run.stdout
    assert "nothing is added" not in run.stdout


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param('package = "tiny"\n', "the list holds no mutant", id="empty"),
        pytest.param("package =\n", "mutants.toml: ", id="not-toml"),
        pytest.param("", "`package` must name the package", id="no-package"),
        pytest.param('package = "tiny"\n[[mutant]]\nguard = "x"\n', "mutant 1 must have the strings", id="fields"),
        pytest.param(f"{WHOLE}reason = '('\n", "`reason` must be a regular expression", id="bad-reason"),
        pytest.param(f"{WHOLE}reason = 3\n", "`reason` must be a regular expression", id="number-as-reason"),
        pytest.param(f"{WHOLE}raeson = 'x'\n", "mutant 1 must have the strings", id="misspelt"),
    ],
)
def test_an_unusable_list_is_one_clear_line(root: Path, text: str, complaint: str) -> None:
    """Expect exit code 2 and one line on stderr that says what is wrong with the list."""
    (root / "tests" / "mutants.toml").write_text(text)

    run = mutate(root)

    assert run.returncode == 2
    assert complaint in run.stderr
    assert run.stderr.count("\n") == 1


def test_a_mutant_is_not_taken_for_the_one_before(root: Path) -> None:
    """Expect each of several in one file and one copy to be in force, though all are of one length and one second."""
    for sign, sum_ in (("-", "0"), ("*", "9"), ("%", "0"), ("/", "1.0")):
        add_mutant(root, sign, "test_adds_more", replacement=f"a {sign} b", reason=f"assert {sum_} == 6")

    run = mutate(root, "--jobs", "1")

    assert run.returncode == 0, run.stdout
    assert "4 of 4 mutants" in run.stdout


def test_a_test_that_proves_nothing_spoils_only_its_own_mutants(root: Path) -> None:
    """Expect those of other tests to be tried, whether it is red before or there is no such test at all."""
    for test in ("test_adds", "test_is_red_anyway", "test_adds_more", "test_unknown"):
        add_mutant(root, test, test)

    run = mutate(root)

    assert run.returncode == 1
    assert run.stdout.count("test not green unbroken") == 2
    assert "2 of 4 mutants" in run.stdout


def test_a_test_that_is_green_only_by_itself_counts(root: Path) -> None:
    """Expect a test that another one puts in its way to be asked again, alone, before its mutants count for nothing."""
    tests = root / "tests" / "test_tiny.py"
    tests.write_text(tests.read_text() + "def test_zzz_first(): assert 'seen' not in globals() and add(1, 1) == 2\n")
    tests.write_text(tests.read_text().replace("def test_adds():", "def test_adds(): globals()['seen'] = 1;"))
    add_mutant(root, "one", "test_adds")
    add_mutant(root, "two", "test_zzz_first")

    run = mutate(root, "--jobs", "1")

    assert run.returncode == 0, run.stdout
    assert "2 of 2 mutants" in run.stdout
