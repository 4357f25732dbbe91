"""Where no real broker can be had, the run says so at its end; in CI it fails. Seen from runs of pytest on a small suite."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # whole runs of the suite or of pytest: seconds, not milliseconds

ROOT = Path(__file__).parents[3]

CONFTEST = "from tests.router.kafka.real_kafka_fixtures import *\nfrom tests.router.kafka.not_run import *\n"
SUITE = """
def test_on_any(real_kafka):
    assert real_kafka.bootstrap_servers == "127.0.0.1:1"
def test_on_own(own_kafka):
    raise AssertionError("there is no broker to hand out")
def test_on_none():
    pass
"""
OPTIONS = ["-q", "-p", "no:cacheprovider", "-o", "markers=slow: is slow", "--strict-markers"]


@pytest.fixture
def path_without_java(tmp_path: Path) -> str:
    """A search path with what the script needs, but without Java and Maven."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "dirname", "ps", "cat"):
        (folder / name).symlink_to(shutil.which(name) or name)
    return str(folder)


def run_suite(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the small suite in a process of its own, in *folder*."""
    suite = folder / "suite"
    suite.mkdir()
    (suite / "conftest.py").write_text(CONFTEST)
    (suite / "test_small.py").write_text(SUITE)
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "KAFKA_BOOTSTRAP_SERVERS"}}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, *arguments, "."],
        cwd=suite,
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_java_the_run_says_what_was_not_run(tmp_path: Path, path_without_java: str) -> None:
    """Expect the other test to pass, and a last word with the count and the reason."""
    done = run_suite(tmp_path, PATH=path_without_java)

    assert done.returncode == 0, done.stdout
    assert "1 passed, 2 deselected" in done.stdout
    assert "NOT RUN" in done.stdout
    assert "2 of the tests that need a real Apache Kafka: kafka: java was not found; install Java 17" in done.stdout


@pytest.mark.slow
def test_without_java_ci_fails(tmp_path: Path, path_without_java: str) -> None:
    """Expect an error with the reason for each test that needs a broker."""
    done = run_suite(tmp_path, PATH=path_without_java, CI="true")

    assert done.returncode == 1
    assert "1 passed, 2 errors" in done.stdout
    assert "kafka: java was not found" in done.stdout


@pytest.mark.slow
def test_a_given_address_serves_the_tests_that_need_any_broker(tmp_path: Path, path_without_java: str) -> None:
    """Expect only the test that must be able to kill its broker to be left out."""
    done = run_suite(tmp_path, PATH=path_without_java, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")

    assert done.returncode == 0, done.stdout
    assert "2 passed, 1 deselected" in done.stdout
    assert "1 of the tests that need a real Apache Kafka: kafka: java was not found" in done.stdout


@pytest.mark.parametrize("workers", [pytest.param("0", id="alone"), pytest.param("2", id="side by side")])
def test_the_quick_run_says_that_it_left_the_slow_ones_out(tmp_path: Path, workers: str) -> None:
    """Expect both tests to count as slow without being marked, and the command that runs them."""
    done = run_suite(tmp_path, "-m", "not slow", "-n", workers)

    assert "1 passed" in done.stdout
    assert "2 of the tests that need a real Apache Kafka: they are slow; `make check` runs them" in done.stdout


@pytest.mark.slow
def test_a_run_narrowed_by_name_keeps_silent(tmp_path: Path) -> None:
    """Expect no word about tests that were not asked for."""
    done = run_suite(tmp_path, "-m", "not slow", "-k", "none")

    assert "1 passed, 2 deselected" in done.stdout
    assert "NOT RUN" not in done.stdout


@pytest.mark.parametrize(("missing", "help_text"), [("java", "install Java 17"), ("mvn", "install Maven")])
def test_the_script_names_what_is_missing(tmp_path: Path, path_without_java: str, missing: str, help_text: str) -> None:
    """Expect `start` to end with one line and without a broker."""
    if missing == "mvn":
        java = Path(path_without_java) / "java"
        java.write_text("#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n")
        java.chmod(0o755)
    environment = {"PATH": path_without_java, "PYTHON": sys.executable, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [ROOT / "scripts" / "kafka", "start"], env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"kafka: {missing} was not found; {help_text}")
    assert done.stderr.count("\n") == 1


def test_the_script_refuses_an_old_java(tmp_path: Path, path_without_java: str) -> None:
    """Expect one line with the version that was found."""
    java = Path(path_without_java) / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    environment = {"PATH": path_without_java, "PYTHON": sys.executable, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [ROOT / "scripts" / "kafka", "check"], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr.startswith("kafka: java is 11; install Java 17")
