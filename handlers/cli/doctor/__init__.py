"""`millstream doctor`: what is wrong around a service, and what to do about it."""

from .command import doctor

__all__ = ["doctor"]
