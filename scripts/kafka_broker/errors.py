"""The one error that the user sees."""


class BrokerError(Exception):
    """The broker cannot be started or stopped; the text is one line that says why and what helps."""
