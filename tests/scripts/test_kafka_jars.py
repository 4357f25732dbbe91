"""Kafka's jars as Maven leaves them: whole, or fetched again, and never a broker that lacks classes."""

import importlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
MAVEN = """#!{python}
import pathlib, sys, zipfile
given = dict(each[2:].split("=", 1) for each in sys.argv if each.startswith("-D"))
calls = pathlib.Path("{folder}/calls")
said = calls.read_text().splitlines() if calls.exists() else []
calls.write_text("".join(each + "\\n" for each in [*said, " ".join(sys.argv[1:])]))
to = pathlib.Path(given["outputDirectory"])
to.mkdir(parents=True)
for name in ("kafka-server", "kafka-clients"):
    with zipfile.ZipFile(to / (name + ".jar"), "w") as jar:
        jar.writestr("A.class", name)
if len(said) < {damaged}:
    (to / "kafka-server.jar").write_bytes(b"")
if len(said) < {failed}:
    print("[ERROR] Checksum validation failed")
    sys.exit(1)
"""


@pytest.fixture
def jars(tmp_path, monkeypatch):
    """The module, with a cache folder of its own and a Maven that does what a test says."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return importlib.import_module("kafka_broker.jars")


@pytest.fixture
def maven(tmp_path):
    """Put a Maven into the search path; returns what it was called with, when it is asked."""

    def put(*, damaged=0, failed=0):
        program = tmp_path / "mvn"
        program.write_text(MAVEN.format(python=sys.executable, folder=tmp_path, damaged=damaged, failed=failed))
        program.chmod(0o755)
        return lambda: (tmp_path / "calls").read_text().splitlines()

    return put


def are_archives(folder):
    """Whether all jars are there, and whole."""
    found = sorted(folder.glob("*.jar"))
    return [each.name for each in found] == ["kafka-clients.jar", "kafka-server.jar"] and all(
        map(zipfile.is_zipfile, found)
    )


def test_jars_are_fetched_once(jars, maven):
    """The second broker finds them; nothing else stays behind."""
    calls = maven()
    first, second = jars.fetch_jars(), jars.fetch_jars()

    assert are_archives(first)
    assert second == first
    assert len(calls()) == 1
    assert list(first.parent.iterdir()) == [first]


def test_maven_is_told_to_compare_checksums_in_a_repository_of_its_own(jars, maven):
    """By itself it only warns, and never looks again at a damaged jar that it has kept."""
    calls = maven(damaged=1)
    jars.fetch_jars()
    repositories = [each for call in calls() for each in call.split() if each.startswith("-Dmaven.repo.local=")]

    assert all("-C" in call.split() for call in calls())
    assert len(set(repositories)) == len(calls()) == 2


@pytest.mark.parametrize("fault", ["damaged", "failed"])
def test_what_did_not_come_whole_is_fetched_again(fault, jars, maven):
    """A jar of no bytes, and a Maven that has seen one by itself."""
    calls = maven(**{fault: 2})

    assert are_archives(jars.fetch_jars())
    assert len(calls()) == 3


@pytest.mark.parametrize(
    ("fault", "reason"), [("damaged", "a jar that came is damaged"), ("failed", "Checksum validation failed")]
)
def test_not_for_ever(fault, reason, jars, maven):
    """The last reason is told, and nothing is left that looks like jars."""
    calls = maven(**{fault: 10})
    with pytest.raises(jars.BrokerError, match=reason):
        jars.fetch_jars()

    assert len(calls()) == jars.TRIES
    assert not jars.jar_folder().exists()


def test_a_damaged_folder_is_replaced(jars, maven):
    """Nobody has to find it and remove it."""
    folder = jars.jar_folder()
    folder.mkdir(parents=True)
    (folder / "kafka-server.jar").write_bytes(b"")
    maven()

    assert are_archives(jars.fetch_jars())
    assert list(folder.parent.iterdir()) == [folder]


def test_a_broker_that_cannot_be_prepared_says_why(tmp_path, jars):
    """There is no log yet that could say more: the error of the preparation is the one that is told."""
    folder = jars.jar_folder()
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "none.jar", "w") as jar:
        jar.writestr("A.class", "")
    java = tmp_path / "java"
    java.write_text(
        '#!/bin/sh\n[ "$1" = -version ] && echo \'version "17.0.1"\' >&2 && exit\necho no classes >&2; exit 1\n'
    )
    java.chmod(0o755)
    done = subprocess.run(
        [SCRIPTS / "kafka", "start", "--folder", tmp_path / "broker"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("kafka: the folder ")
    assert "could not be prepared: no classes" in done.stderr
