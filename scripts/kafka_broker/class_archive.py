"""The broker's classes as Java maps them into memory: with them a start needs half the processor time, 5 s for 8.

Made once for each Java, beside the jars, by a broker that is started and stopped for it. Where there is none a start takes
longer.
"""

import fcntl
import hashlib
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

TRAIN = "-XX:ArchiveClassesAtExit"
USE = "-XX:SharedArchiveFile"


def archive_option(jars: Path, train: Callable[[Path, str], None]) -> str:
    """Return the option of Java with which brokers start faster.

    Args:
        jars: the folder with the jars.
        train: starts and stops a broker in a folder, with an option of Java.
    """
    archive = jars.with_name(f"{jars.name}-{_java()}.jsa")
    if not archive.exists():
        with jars.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the others wait: each would train one of its own, for ten seconds
            if not archive.exists():
                _make(archive, train)
    return f"{USE}={archive}"


def _make(archive: Path, train: Callable[[Path, str], None]) -> None:
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        made = Path(folder) / archive.name
        train(Path(folder) / "broker", f"{TRAIN}={made}")
        # Without one Java goes on by itself: nobody is to try it again at each start.
        made.touch()
        made.rename(archive)


def _java() -> str:
    """Return what tells one Java from another: an archive of another is not used."""
    done = subprocess.run(["java", "-version"], capture_output=True, check=True)
    return hashlib.sha256(done.stderr).hexdigest()[:12]
