"""What tests of Millstream, and of programs built on it, need."""

from .manual_clock import ManualClock

__all__ = ["ManualClock"]
