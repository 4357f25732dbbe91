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
    real = _real_path(folder)
    if "?" in str(real):
        raise ConfigurationError(f"the store folder {real} lies below a name with a question mark; chDB cannot open it")
    try:
        if not create and not real.exists():
            raise ConfigurationError(f"there is no store at {real}: name another, or make one with millstream migrate")
        real.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if os.path.isfile(real) else error.strerror  # noqa: PTH113 - the other one may raise
        raise ConfigurationError(f"cannot use {real} as a store folder: {reason}") from error
    if not os.access(real, os.W_OK | os.X_OK):
        raise ConfigurationError(f"cannot use {real} as a store folder: no right to write")
    check_not_in_use(real)
    return real


def _real_path(folder: Path) -> Path:
    try:
        return Path(os.path.realpath(folder.expanduser()))
    except RuntimeError as error:  # ~name, and nobody is called so
        raise ConfigurationError(f"cannot use {folder} as a store folder: {error}") from error


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
