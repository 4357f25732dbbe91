"""What the command line does with Millstream's log records: lines on stderr, as text or as JSON objects."""

from __future__ import annotations

import enum
import json
import sys
import traceback
from typing import TYPE_CHECKING, Any

from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record

CONNECTION = "millstream.router.kafka.connection"
"""Who warns that no broker can be reached, and says at INFO that they are back: whoever saw the first wants the second."""
OUTAGE = "millstream.handlers.events.outage"
"""The same for the store."""
LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


_informing: set[str] = set()


class LogFormat(enum.Enum):
    """How a record is written."""

    TEXT = "text"
    JSON = "json"


def set_up_logging(level: str, log_format: LogFormat) -> None:
    """Send Millstream's records of *level* and above to stderr, in place of whatever was set up before.

    A JSON record is one object a line: `time`, `level`, `logger`, `message`, the bound fields under `fields`, and `exception`
    where there is one. Tracebacks show no values of variables, which may hold secrets.
    """
    write_line = _json_line if log_format is LogFormat.JSON else _text_line

    def write(message: Message) -> None:
        # Looked up each time: a progress display puts its own stream there, so that a record does not tear it apart.
        if sys.stderr is not None:
            sys.stderr.write(write_line(message.record) + "\n")

    least = logger.level(level.upper()).no
    shows_warnings = least <= logger.level("WARNING").no

    _informing.clear()
    _informing.update({CONNECTION, OUTAGE} if shows_warnings else ())

    def is_shown(record: Record) -> bool:
        return record["level"].no >= least or record["name"] in _informing

    lowest = min(least, logger.level("INFO").no) if shows_warnings else least
    logger.remove()
    logger.add(write, level=lowest, format="{message}", filter=is_shown, backtrace=False, diagnose=False)
    logger.enable("millstream")


def show_lines_of(*modules: str) -> None:
    """Show the INFO lines of *modules* as well, where warnings are shown: for a command whose lines they are."""
    if _informing:
        _informing.update(modules)


def name_in_lines(**fields: object) -> None:
    """Bind *fields* to every record of this process from now on: where several write to one place, whose line it is."""
    logger.configure(extra=fields)


def _text_line(record: Record) -> str:
    fields = "".join(f" {name}={value}" for name, value in record["extra"].items())
    line = f"{record['time']:YYYY-MM-DD HH:mm:ss.SSS} {record['level'].name:<8} {record['message']}{fields}"
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
