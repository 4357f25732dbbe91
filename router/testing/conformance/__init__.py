"""The conformance suite: what every pub/sub must do to carry Millstream's guarantees."""

from .checks import ConformanceError
from .crash import read_and_be_killed
from .features import Features
from .suite import ConformanceSuite

__all__ = ["ConformanceError", "ConformanceSuite", "Features", "read_and_be_killed"]
