"""The conformance suite: what every pub/sub must do to carry Millstream's guarantees."""

from .checks import ConformanceError
from .features import Features
from .suite import ConformanceSuite

__all__ = ["ConformanceError", "ConformanceSuite", "Features"]
