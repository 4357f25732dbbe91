"""`module:attribute` made into a router that can be run: everything that may be wrong with it is told in one line.

The module is the user's: what goes wrong in it is told with the file and line of theirs, never with a traceback through ours.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
import traceback
from pathlib import Path, PurePath
from types import ModuleType

from millstream.router import ConfigurationError, MillstreamError, Router
from millstream.router.callables import given_up
from millstream.router.exit_codes import is_bug

FORM = "give module:attribute, such as app:router"


def load_router(app: str) -> Router:
    """Import the module of *app*, with the current folder first on the path, and return its router.

    Args:
        app: `module:attribute`; the attribute is a `Router`, or is called without arguments and returns one.

    Raises:
        ConfigurationError: there is no such module or attribute, the user's code failed, or what it made cannot be run.
        MillstreamError: what the user's code met, such as a wrong setting, where that says by itself what to do.
    """
    name, _, attribute = app.partition(":")
    if not attribute.isidentifier() or not all(_is_importable(part) for part in name.split(".")):
        raise ConfigurationError(f"{app!r} names no router: {FORM}{_did_you_mean(name, attribute)}")
    _look_in_current_folder()
    return _checked(app, _made(app, _attribute(app, _imported(name, attribute), attribute)))


def _is_importable(part: str) -> bool:
    """Whether a module may be called so; one that begins with a digit is beyond an import statement, but not beyond us."""
    return bool(part) and f"_{part}".isidentifier()


def _look_in_current_folder() -> None:
    folder = str(Path.cwd())
    if folder not in sys.path:  # `python -m millstream` has it there already
        sys.path.insert(0, folder)


def _did_you_mean(name: str, attribute: str) -> str:
    """Return a hint where *name* is the path of a file, not the name of a module; empty where it is none."""
    parts = PurePath(name.removesuffix(".py")).parts
    if not name.endswith(".py") or not attribute.isidentifier() or not all(map(_is_importable, parts)):
        return ""
    return f"; did you mean {'.'.join(parts)}:{attribute}?"


def _imported(name: str, attribute: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise ConfigurationError(
                f"there is no module {error.name!r}, neither in {Path.cwd()} nor installed{_did_you_mean(name, attribute)}"
            ) from None
        raise _failed(f"importing {name!r}", error) from error
    except (Exception, SystemExit) as error:
        raise _failed(f"importing {name!r}", error) from error


def _attribute(app: str, module: ModuleType, attribute: str) -> object:
    try:
        return getattr(module, attribute)
    except AttributeError:
        near = difflib.get_close_matches(attribute, vars(module), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(f"{app}: module {module.__name__!r} has no {attribute!r}{hint}") from None


def _made(app: str, found: object) -> object:
    if isinstance(found, Router) or not callable(found):
        return found
    try:
        inspect.signature(found).bind()
    except TypeError as error:
        raise ConfigurationError(f"{app} is called without arguments, and wants some: {error}") from None
    except ValueError:  # built in: it does not tell
        pass
    try:
        return found()
    except (Exception, SystemExit) as error:
        raise _failed(f"calling {app}", error) from error


def _checked(app: str, made: object) -> Router:
    if not isinstance(made, Router):
        given_up(made)
        raise ConfigurationError(f"{app} is no Router and makes none, but gives a {type(made).__name__}")
    if made.is_running or made.is_closed:
        raise ConfigurationError(
            f"{app} has run already, and a router runs once: make it without Router.run(), which stands below "
            '`if __name__ == "__main__":`'
        )
    if not made.handlers:
        raise ConfigurationError(f"{app} has no handlers: add some where it is made")
    return made


def _failed(doing: str, error: BaseException) -> MillstreamError:
    """Return what to say of an *error* that came out of the user's code."""
    if isinstance(error, MillstreamError) and not is_bug(error):
        return error
    reason = traceback.format_exception_only(error)[-1].strip()
    return ConfigurationError(f"{doing} failed: {reason}{place_of(error)}")


def place_of(error: BaseException) -> str:
    """Return the innermost line of the user's that *error* came through, in words; empty where there is none."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f" ({_short(error.filename)}, line {error.lineno})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    if not frames:
        return ""
    return f" ({_short(frames[-1].filename)}, line {frames[-1].lineno}: {frames[-1].line})"


def _is_users(file: str) -> bool:
    """Whether *file* is below the current folder, and nothing that was installed there."""
    path = Path(file)
    return path.is_relative_to(Path.cwd()) and "site-packages" not in path.parts


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
