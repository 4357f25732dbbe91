"""What can go wrong between Millstream and its store, and which of it a message is to blame for.

    PermanentError      └── DataError           the rows are bad: find them, set them aside
    MillstreamError     └── ShapeError          the rows are good, but too many for one INSERT: split
    TransientError      ├── StoreUnavailable    nothing stored: send it again later
                        └── UnknownOutcome      may be stored: send it again, same bytes, same token
    ConfigurationError  ├── StoreMisconfigured  wrong table, column, rights or password: the user's to mend
                        │   ├── ViewFailed      the table has the rows, a view does not: mend the view, same bytes, same token
                        │   └── ShardRefused    other shards may have their rows: mend the one, same bytes, same token
                        └── QueryError          wrong SQL in a user's statement

Which of them a failure is, `classification` says.
"""

from millstream.router.errors import ConfigurationError, MillstreamError, PermanentError, TransientError


class _FromStore(MillstreamError):
    """What all of them carry: the reason in words, and the ClickHouse error code if there was one."""

    def __init__(self, reason: str, *, code: int | None = None) -> None:
        self.reason = reason
        self.code = code
        super().__init__(reason if code is None else f"{reason} [ClickHouse code {code}]")


class DataError(_FromStore, PermanentError):
    """The store refused an INSERT because of its rows; nothing of it was stored. Isolate the bad rows.

    Args:
        reason: what the store said, without values of the row.
        code: the ClickHouse error code.
        row: which row of the INSERT the store complained about, from 1; a hint, to be verified.
    """

    def __init__(self, reason: str, *, code: int | None = None, row: int | None = None) -> None:
        super().__init__(reason, code=code)
        self.row = row


class ShapeError(_FromStore, MillstreamError):
    """The store refused an INSERT as a whole: over too many partitions, or too large. Its halves may pass.

    Args:
        reason: what the store said.
        code: the ClickHouse error code.
    """


class StoreUnavailable(_FromStore, TransientError):
    """The store does not take it right now: unreachable, overloaded, out of space. Nothing was stored; send it again.

    Args:
        reason: what the store, or the network, said.
        code: the ClickHouse error code.
    """


class UnknownOutcome(_FromStore, TransientError):
    """An INSERT was sent and nobody knows whether it was stored. Send the same bytes under the same token until it is known.

    Args:
        reason: what the store, or the network, said.
        code: the ClickHouse error code.
    """


class StoreMisconfigured(_FromStore, ConfigurationError):
    """The store cannot take it until somebody mends the configuration: the table, a column, the rights, the password.

    No message is to blame, so nothing is poisoned.

    Args:
        reason: what the store said.
        code: the ClickHouse error code.
    """


class ViewFailed(StoreMisconfigured):
    """A materialized view of the table raised an error, after the table had taken the rows: mend the view, or drop it.

    Until then the INSERT is repeated as it is, under its token: the table drops the repeat, and the view gets what it missed.

    Args:
        view: the name of the view.
        name: what ClickHouse calls the error.
        code: the ClickHouse error code.
    """

    def __init__(self, view: str, name: str, *, code: int | None = None) -> None:
        self.view = view
        super().__init__(
            f"the view {view} raised {name or 'an error'} on rows that its table has taken: mend it, or drop it",
            code=code,
        )


class ShardRefused(StoreMisconfigured):
    """A shard of a Distributed table refused its rows of an INSERT, while other shards may have taken theirs.

    Halves would store those once more, so the INSERT is repeated as it is, under its token, until the shard takes its rows: mend
    its table, constraint or limit.

    Args:
        reason: what the shard said, without values of the row.
        code: the ClickHouse error code.
    """

    def __init__(self, reason: str, *, code: int | None = None) -> None:
        super().__init__(f"a shard refused rows while others may have theirs: {reason}", code=code)


class QueryError(_FromStore, ConfigurationError):
    """A statement was refused: it is wrong, or it writes where only reading is allowed. Mend the SQL.

    Args:
        reason: what the store said.
        code: the ClickHouse error code.
    """
