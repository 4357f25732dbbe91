"""Kafka messages through a router and its middleware into batched ClickHouse inserts."""

from loguru import logger

__version__ = "0.1.0"

logger.disable("millstream")
