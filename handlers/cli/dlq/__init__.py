"""`millstream dlq`: what was set aside, and sending it back."""

from .command import dlq

__all__ = ["dlq"]
