"""The folder of an embedded store: made, checked and told apart before the engine sees it.

The engine prints to stderr by itself when a folder is locked, and words its other refusals as an internal error. What
can be known beforehand is therefore asked of the operating system, so that the user gets one line.
"""

import fcntl
import os
import re
from pathlib import Path

from millstream.router.errors import ConfigurationError

_STATUS_FILE = "status"
"""Where the engine writes its process number; it holds an exclusive `flock` on it as long as it runs."""

_PID = re.compile(r"PID: (\d+)")


def prepare_folder(folder: Path, *, create: bool) -> Path:
    """Return the folder's real path, made if it is missing, once it is certain that this process may use it.

    Raises:
        ConfigurationError: it is missing and *create* is false, it cannot be made or written, it is no folder, or
            another process uses it.
    """
    real, is_there = find_folder(folder)
    if "?" in str(real):
        raise ConfigurationError(f"the store folder {real} lies below a name with a question mark; chDB cannot open it")
    if not create and not is_there:
        raise ConfigurationError(f"there is no store at {real}: name another, or make one with millstream migrate")
    try:
        real.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(real, "it is a file" if is_there else error.strerror) from error
    if not os.access(real, os.W_OK | os.X_OK):
        raise ConfigurationError(f"cannot use {real} as a store folder: no right to write")
    check_not_in_use(real)
    return real


def find_folder(folder: Path) -> tuple[Path, bool]:
    """Return the folder's real path, and whether something is there.

    Raises:
        ConfigurationError: it cannot be looked at: its name is too long or of nobody's home, or we have no right to.
    """
    try:
        real = Path(os.path.realpath(folder.expanduser()))
        return real, real.exists()
    except RuntimeError as error:  # ~name, and nobody is called so
        raise _unusable(folder, str(error)) from error
    except FileNotFoundError:  # the current folder is gone
        raise
    except OSError as error:
        raise _unusable(folder, error.strerror) from error


def _unusable(folder: Path, reason: str | None) -> ConfigurationError:
    return ConfigurationError(f"cannot use {folder} as a store folder: {reason}")


def check_not_in_use(folder: Path) -> None:
    """Return if no other process has the folder open.

    Raises:
        ConfigurationError: one has; the text names its process.
    """
    try:
        with (folder / _STATUS_FILE).open() as status:
            pid = _PID.search(status.read())
            if pid is not None and int(pid[1]) == os.getpid():
                return
            fcntl.flock(status, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except BlockingIOError:
        raise folder_in_use(folder) from None
    except OSError as error:
        raise ConfigurationError(f"cannot use {folder} as a store folder: {error.strerror}") from error


def folder_in_use(folder: Path) -> ConfigurationError:
    """Return the error for a folder that another process has open."""
    try:
        pid = _PID.search((folder / _STATUS_FILE).read_text())
    except OSError:
        pid = None
    owner = "another process" if pid is None else f"process {pid[1]}"
    return ConfigurationError(
        f"the store {folder} is in use by {owner}; a chDB folder belongs to one process, a server serves several"
    )
