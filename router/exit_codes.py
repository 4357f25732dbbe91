"""How a process that runs a router ends."""

import enum


class ExitCode(enum.IntEnum):
    """The exit codes of every command."""

    CLEAN = 0
    BUG = 1
    USAGE = 2
    """Wrong usage or configuration; nothing was done."""
    POISONED = 3
    """Done, but something was set aside in the poison sink."""
    HALTED = 4
    """A policy stopped the work."""
    UNDRAINED = 5
    """Closed before everything was flushed: safe, it will be delivered again."""
