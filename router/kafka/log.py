"""librdkafka's own log, on its way into loguru."""

from collections.abc import Iterable

from loguru import logger

from .redaction import hide

REPEATED = frozenset({"FAIL", "GETPID"})
"""Facilities that report each attempt of what librdkafka tries until it works; `ConnectionWatch` says once what matters."""

WARNING = 30
"""In the numbers of the standard library's logging, which is what confluent-kafka speaks."""


class KafkaLog:
    """What confluent-kafka takes for a logger; passes each line on with its secrets masked.

    Warnings and worse stay warnings: librdkafka mends most of what it calls an error, and what it does not comes back as an
    error of the call. Everything else is DEBUG. Called on poll threads.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = list(secrets)

    def log(self, level: int, template: str, *values: object) -> None:
        """Log a line; *values* are facility, client and text."""
        facility, client = (str(value) for value in (*values, "", "")[:2])
        is_loud = level >= WARNING and facility not in REPEATED
        text = hide(template % values, self._secrets)
        logger.bind(client=client, facility=facility).log("WARNING" if is_loud else "DEBUG", "librdkafka: {}", text)
