"""Saying that a signal closes a router, on the router's own thread: the signal may have met the main thread inside the logger."""

from __future__ import annotations

from loguru import logger


def say_signal(name: str) -> None:
    """Log the signal called *name*."""
    logger.bind(signal=name).info("closing on a signal")
