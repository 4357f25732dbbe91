"""Java and the broker's jars: found, or fetched once with Maven into the user's cache folder."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from kafka_broker.errors import BrokerError

POM = Path(__file__).with_name("pom.xml")
OLDEST_JAVA = 17  # what Apache Kafka 4 asks for


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
    if not jar_folder().is_dir() and shutil.which("mvn") is None:
        raise BrokerError(
            "mvn was not found; install Maven (Debian, Ubuntu: apt install maven), it fetches Kafka's jars"
        )


def fetch_jars() -> Path:
    """Return the folder with the jars; the first time, fetch them (43 MB).

    Two processes may do so at once: each fetches into a folder of its own, and the first to finish puts it in place.
    """
    folder = jar_folder()
    if folder.is_dir():
        return folder
    require_jars_or_maven()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        fetched = Path(temporary) / "jars"
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fetched}"]
        done = subprocess.run(["mvn", "-q", "-B", "-f", str(POM), *goal], capture_output=True, text=True, check=False)
        if done.returncode:
            lines = [line for line in done.stdout.splitlines() if "ERROR" in line]
            raise BrokerError(f"Maven could not fetch Kafka's jars: {lines[0] if lines else done.stderr.strip()}")
        try:
            fetched.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder
