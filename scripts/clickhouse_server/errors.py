"""The one error that the user sees."""


class ServerError(Exception):
    """The server cannot be started or stopped; the text is one line that says why and what helps."""


class PortTaken(ServerError):
    """Another program listens where the server was to."""
