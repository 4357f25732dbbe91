"""The lanes of the settings with all they need, attached to a router: for `millstream run`, and a router of one's own."""

from .adding import AddedLanes, add_lanes

__all__ = ["AddedLanes", "add_lanes"]
