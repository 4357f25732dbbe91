"""What is logged while a test runs."""

from collections.abc import Iterator

import pytest
from loguru import logger


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """What Millstream logs from INFO on: level, text, and the traceback of what was logged with one."""
    texts: list[str] = []
    keep = lambda text: texts.append(str(text).rstrip())  # noqa: E731 - short
    sink = logger.add(keep, format="{level} {message}", level="INFO", backtrace=False, diagnose=False)
    logger.enable("millstream")
    yield texts
    logger.disable("millstream")
    logger.remove(sink)
