"""librdkafka's own log, on its way into loguru."""

import re
from collections.abc import Iterable

from loguru import logger

from .redaction import hide

REPEATED = frozenset({"FAIL", "GETPID", "FATAL"})
"""Facilities that report each attempt of what librdkafka, or we, try until it works. What matters is said once, by
`ConnectionWatch` or by whoever polls: every fatal error comes out there as well."""

FAIL = "FAIL"
THREAD = re.compile(r"^\[thrd:[^\]]*\]: ")
"""What librdkafka begins a line with: which of its own threads wrote it."""
CUT = re.compile(r": Disconnected.*\(after \d{1,3}ms in state ")
"""A connection that was closed at once, as by a listener of another kind; one that lasted ended otherwise."""
CUT_HINT = "a listener that wants TLS or SASL, or wants none, looks the same"

WARNING = 30
"""In the numbers of the standard library's logging, which is what confluent-kafka speaks."""


class KafkaLog:
    """What confluent-kafka takes for a logger; passes each line on with its secrets masked.

    Warnings and worse stay warnings: librdkafka mends most of what it calls an error, and what it does not comes back as an
    error of the call. Everything else is DEBUG, and what repeats for each attempt TRACE: with brokers away that is 20 lines a
    second. Called on poll threads.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = list(secrets)
        self.last_failure = ""
        """Why the last connection that failed did so; empty while none has."""

    def log(self, level: int, template: str, *values: object) -> None:
        """Log a line; *values* are facility, client and text."""
        facility, client = (str(value) for value in (*values, "", "")[:2])
        if facility == FAIL:
            self.last_failure = _reason(hide(str(values[-1]), self._secrets))
        text = hide(template % values, self._secrets)
        name = "TRACE" if facility in REPEATED else "WARNING" if level >= WARNING else "DEBUG"
        logger.bind(client=client, facility=facility).log(name, "librdkafka: {}", text)


def _reason(text: str) -> str:
    text = THREAD.sub("", text)
    return f"{text}; {CUT_HINT}" if CUT.search(text) else text
