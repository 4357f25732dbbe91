"""Log records as lines on stderr, text or JSON objects: what the command line does with them, and any program may."""

from __future__ import annotations

import contextlib
import enum
import json
import sys
import traceback
from typing import TYPE_CHECKING, Any, Literal

from loguru import logger

from millstream.router.errors import ConfigurationError

if TYPE_CHECKING:
    from loguru import Message, Record

CONNECTION = "millstream.router.kafka.connection"
"""Who warns that no broker can be reached, and says at INFO that they are back: whoever saw the first wants the second."""
OUTAGE = "millstream.handlers.events.outage"
"""The same for the store."""
LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOGURUS_OWN = 0
"""The number of the sink that loguru begins with, as its documentation has it."""
SHOWN = ("reason", "error", "message")
"""Fields that a line of text need not repeat where they stand in its sentence."""

_informing: set[str] = set()
_sinks = [LOGURUS_OWN]
"""Which sink a further call replaces."""


class LogFormat(enum.Enum):
    """How a record is written."""

    TEXT = "text"
    JSON = "json"


def log_to_stderr(level: str = "INFO", log_format: LogFormat | Literal["text", "json"] = LogFormat.TEXT) -> None:
    """Send the log records of this process to stderr, Millstream's too, in the format of the command line.

    Takes the place of loguru's own sink and of an earlier call; sinks that the program has added stay. For programs: call it
    once, at the beginning. A JSON record is one object a line: `time`, `level`, `logger`, `message`, the bound fields under
    `fields`, and `exception` where there is one. Tracebacks show no values of variables, which may hold secrets.

    Args:
        level: the least that is shown: `TRACE`, `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`, in any case. From `WARNING`
            down, who saw that brokers or the store went away sees that they are back as well.
        log_format: `"text"` or `"json"`.

    Raises:
        ConfigurationError: there is no such level or format.
    """
    write_line = _json_line if _format_of(log_format) is LogFormat.JSON else _text_line
    least = _number_of(level)

    def write(message: Message) -> None:
        # Looked up each time: a progress display puts its own stream there, so that a record does not tear it apart.
        if sys.stderr is not None:
            sys.stderr.write(write_line(message.record) + "\n")

    shows_warnings = least <= logger.level("WARNING").no

    _informing.clear()
    _informing.update({CONNECTION, OUTAGE} if shows_warnings else ())

    def is_shown(record: Record) -> bool:
        return record["level"].no >= least or record["name"] in _informing

    lowest = min(least, logger.level("INFO").no) if shows_warnings else least
    with contextlib.suppress(ValueError):  # the program has removed it
        logger.remove(_sinks.pop())
    _sinks.append(logger.add(write, level=lowest, format="{message}", filter=is_shown, backtrace=False, diagnose=False))
    logger.enable("millstream")


def _format_of(log_format: str | LogFormat) -> LogFormat:
    try:
        return LogFormat(log_format)
    except ValueError:
        raise ConfigurationError(f"log_format must be 'text' or 'json', not {log_format!r}") from None


def _number_of(level: str) -> int:
    if level.upper() not in LOG_LEVELS:
        raise ConfigurationError(f"there is no log level {level!r}: take one of {', '.join(LOG_LEVELS)}")
    return logger.level(level.upper()).no


def switch_off_by_default() -> None:
    """Keep Millstream silent until somebody enables it, but for what was chosen before this import.

    `logger.disable` would undo a `logger.enable("millstream")` that came first. loguru has no public way to ask what was
    enabled, and none to disable only what nobody has spoken of: its list is read here. Where a later version has no such
    list, the import disables, as it would without this.
    """
    activations = getattr(getattr(logger, "_core", None), "activation_list", ())
    chosen = [(name, is_on) for name, is_on in activations if name.startswith("millstream.")]
    logger.disable("millstream")
    for name, is_on in reversed(chosen):  # the list has the inner names first, and each call undoes those inside
        (logger.enable if is_on else logger.disable)(name.removesuffix("."))


def show_lines_of(*modules: str) -> None:
    """Show the INFO lines of *modules* as well, where warnings are shown: for a command whose lines they are."""
    if _informing:
        _informing.update(modules)


def name_in_lines(**fields: object) -> None:
    """Bind *fields* to every record of this process from now on: where several write to one place, whose line it is."""
    logger.configure(extra=fields)


def _text_line(record: Record) -> str:
    text, bound = record["message"], record["extra"].items()
    fields = "".join(f" {name}={value}" for name, value in bound if name not in SHOWN or str(value) not in text)
    line = f"{record['time']:YYYY-MM-DD HH:mm:ss.SSS} {record['level'].name:<8} {text}{fields}"
    trace = _trace(record)
    return f"{line}\n{trace}" if trace else line


def _json_line(record: Record) -> str:
    line: dict[str, Any] = {
        "time": record["time"].isoformat(),
        "level": record["level"].name,
        "logger": record["name"],
        "message": record["message"],
        # Apart from the rest: a bound field may be called `message`, too.
        "fields": record["extra"],
    }
    trace = _trace(record)
    return json.dumps({**line, "exception": trace} if trace else line, default=str)


def _trace(record: Record) -> str:
    raised = record["exception"]
    if raised is None or raised.value is None:
        return ""
    return "".join(traceback.format_exception(raised.value)).rstrip()
