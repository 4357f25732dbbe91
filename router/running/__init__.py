"""A router at work: handlers, their chains and threads, and the way down."""

from .config import RouterConfig
from .handler import Handler
from .router import Plugin, Router
from .signals import ForcedExit, SignalsHandler

__all__ = ["ForcedExit", "Handler", "Plugin", "Router", "RouterConfig", "SignalsHandler"]
