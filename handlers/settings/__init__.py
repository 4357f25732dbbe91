"""The settings of the command line, and of programs that want the same ones."""

from .kafka import KafkaConfig
from .loading import load_settings
from .sections import ClickHouseConfig, PostProcessingConfig, RetryConfig, RouterSettings, Settings

__all__ = [
    "ClickHouseConfig",
    "KafkaConfig",
    "PostProcessingConfig",
    "RetryConfig",
    "RouterSettings",
    "Settings",
    "load_settings",
]
