"""Fixtures that the tests of the router share."""

from tests.router.log_fixtures import log_lines

__all__ = ["log_lines"]
