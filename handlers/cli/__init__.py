"""The command line, and the settings it shares with programs of one's own."""

from .main import main
from .settings import ClickHouseConfig, PostProcessingConfig, RetryConfig, RouterSettings, Settings
from .settings_loading import load_settings

__all__ = [
    "ClickHouseConfig",
    "PostProcessingConfig",
    "RetryConfig",
    "RouterSettings",
    "Settings",
    "load_settings",
    "main",
]
