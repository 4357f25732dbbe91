"""The settings of the command line, also for programs of one's own; the commands themselves are in `main`."""

from .settings import ClickHouseConfig, PostProcessingConfig, RetryConfig, RouterSettings, Settings
from .settings_loading import load_settings

__all__ = [
    "ClickHouseConfig",
    "PostProcessingConfig",
    "RetryConfig",
    "RouterSettings",
    "Settings",
    "load_settings",
]
