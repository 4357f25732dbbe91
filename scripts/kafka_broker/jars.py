"""Java and the broker's jars: found, or fetched once with Maven into the user's cache folder."""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from kafka_broker.errors import BrokerError

POM = Path(__file__).with_name("pom.xml")
OLDEST_JAVA = 17  # what Apache Kafka 4 asks for
GOAL = ["dependency:copy-dependencies", "-DincludeScope=runtime"]
STRICT_CHECKSUMS = "-C"  # without it Maven warns of a jar that is not what it should be, and takes it
TRIES = 3  # of a fetch; a registry's hiccup is over by then


def cache_folder() -> Path:
    """Return the folder for what can be fetched again: `$XDG_CACHE_HOME/millstream`, else `~/.cache/millstream`."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "millstream"


def require_java() -> None:
    """Raise BrokerError unless `java` is there and new enough."""
    help_text = f"install Java {OLDEST_JAVA} or newer (Debian, Ubuntu: apt install default-jre-headless)"
    if shutil.which("java") is None:
        raise BrokerError(f"java was not found; {help_text}")
    done = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', done.stderr)
    if found is None or int(found[1]) < OLDEST_JAVA:
        raise BrokerError(f"java is {found[1] if found else 'of an unknown version'}; {help_text}")


def java_environment() -> dict[str, str]:
    """Return the environment for Java: in UTF-8, or it cannot open what lies in a folder called `Büro`."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def jar_folder() -> Path:
    """Return where the jars lie or will lie: another folder for each content of the POM."""
    return cache_folder() / f"kafka-jars-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"


def require_jars_or_maven() -> None:
    """Raise BrokerError if the jars are neither there nor to be fetched."""
    if not _are_whole(jar_folder()):
        require_maven()


def require_maven() -> None:
    """Raise BrokerError unless `mvn` is there."""
    if shutil.which("mvn") is None:
        raise BrokerError(
            "mvn was not found; install Maven (Debian, Ubuntu: apt install maven), it fetches Kafka's jars"
        )


def fetch_jars() -> Path:
    """Return the folder with the jars; the first time, or where one of them is damaged, fetch them (43 MB).

    Two processes may do so at once: each fetches into a folder of its own, and the first to finish puts it in place.
    """
    folder = jar_folder()
    if _are_whole(folder):
        return folder
    require_maven()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        fetched = _fetch(Path(temporary))
        if not _are_whole(folder):
            with contextlib.suppress(FileNotFoundError):
                folder.rename(Path(temporary) / "damaged")
        try:
            fetched.rename(folder)
        except OSError:
            if not _are_whole(folder):
                raise
    return folder


def _fetch(temporary: Path) -> Path:
    """Return a folder with all jars, each of them whole."""
    reasons: list[str] = []
    for number in range(TRIES):
        fetched = temporary / f"jars-{number}"
        # A repository of its own: once a shared one has a jar of no bytes, Maven does not look at it again.
        where = [f"-DoutputDirectory={fetched}", f"-Dmaven.repo.local={temporary / f'repository-{number}'}"]
        line = ["mvn", "-q", "-B", STRICT_CHECKSUMS, "-f", str(POM), *GOAL, *where]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if not done.returncode and _are_whole(fetched):
            return fetched
        lines = [line for line in done.stdout.splitlines() if "ERROR" in line]
        reasons.append(lines[0] if lines else done.stderr.strip() or "a jar that came is damaged")
    raise BrokerError(f"Maven could not fetch Kafka's jars: {reasons[-1]}")


def _are_whole(folder: Path) -> bool:
    """Whether there are jars in *folder*, and each of them is an archive to its end."""
    jars = list(folder.glob("*.jar"))
    return bool(jars) and all(map(zipfile.is_zipfile, jars))
