"""What can go wrong between Millstream and its store, and which of it a message is to blame for.

    PermanentError      └── DataError           the rows are bad: find them, set them aside
    MillstreamError     └── ShapeError          the rows are good, but too many for one INSERT: split
    TransientError      ├── StoreUnavailable    nothing stored: send it again later
                        └── UnknownOutcome      may be stored: send it again, same bytes, same token
    ConfigurationError  ├── StoreMisconfigured  wrong table, column, rights or password: the user's to mend
                        └── QueryError          wrong SQL in a user's statement

`classify_insert` and `classify_query` choose between them from what the driver could find out, as plain values. An error
code that is in no table counts as an unknown outcome: it is tried again and never blamed on a row.
"""

import enum

from millstream.router.errors import ConfigurationError, MillstreamError, PermanentError, TransientError


class DataError(PermanentError):
    """The store refused an INSERT because of its rows; nothing of it was stored. Isolate the bad rows.

    Args:
        reason: what the store said, without values of the row.
        code: the ClickHouse error code.
        row: which row of the INSERT the store complained about, from 1; a hint, to be verified.
    """

    def __init__(self, reason: str, *, code: int | None = None, row: int | None = None) -> None:
        self.reason = reason
        self.code = code
        self.row = row
        super().__init__(_with_code(reason, code))


class ShapeError(MillstreamError):
    """The store refused an INSERT as a whole: over too many partitions, or too large. Its halves may pass.

    Args:
        reason: what the store said.
        code: the ClickHouse error code.
    """

    def __init__(self, reason: str, *, code: int | None = None) -> None:
        self.reason = reason
        self.code = code
        super().__init__(_with_code(reason, code))


class StoreUnavailable(TransientError):
    """The store does not take it right now: unreachable, overloaded, out of space. Nothing was stored; send it again.

    Args:
        reason: what the store, or the network, said.
        code: the ClickHouse error code.
    """

    def __init__(self, reason: str, *, code: int | None = None) -> None:
        self.reason = reason
        self.code = code
        super().__init__(_with_code(reason, code))


class UnknownOutcome(TransientError):
    """An INSERT was sent and nobody knows whether it was stored. Send the same bytes under the same token until it is known.

    Args:
        reason: what the store, or the network, said.
        code: the ClickHouse error code.
    """

    def __init__(self, reason: str, *, code: int | None = None) -> None:
        self.reason = reason
        self.code = code
        super().__init__(_with_code(reason, code))


class StoreMisconfigured(ConfigurationError):
    """The store cannot take it until somebody mends the configuration: the table, a column, the rights, the password.

    No message is to blame, so nothing is poisoned.

    Args:
        reason: what the store said.
        code: the ClickHouse error code.
    """

    def __init__(self, reason: str, *, code: int | None = None) -> None:
        self.reason = reason
        self.code = code
        super().__init__(_with_code(reason, code))


class QueryError(ConfigurationError):
    """A statement was refused: it is wrong, or it writes where only reading is allowed. Mend the SQL.

    Args:
        reason: what the store said.
        code: the ClickHouse error code.
    """

    def __init__(self, reason: str, *, code: int | None = None) -> None:
        self.reason = reason
        self.code = code
        super().__init__(_with_code(reason, code))


class Exchange(enum.Enum):
    """How far a request got."""

    ANSWERED = enum.auto()
    """The store answered, with an error."""
    NEVER_SENT = enum.auto()
    """No connection came about, or the request could not be written down: the store knows nothing of it."""
    INTERRUPTED = enum.auto()
    """It was sent, at least in part, and no answer came."""
    REFUSED_BY_DRIVER = enum.auto()
    """The driver did not send it: a setting this user may not change, a closed client."""


InsertErrorClass = (
    type[DataError] | type[ShapeError] | type[StoreUnavailable] | type[UnknownOutcome] | type[StoreMisconfigured]
)
QueryErrorClass = type[QueryError] | type[StoreUnavailable] | type[StoreMisconfigured]

# The code lists: the study's (clickhouse-kafka-connect, GlassFlow, own measurements), each name checked in the engine
# with errorCodeToName.
DATA_CODES = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        25,  # CANNOT_PARSE_ESCAPE_SEQUENCE: lone surrogates
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED: not JSON
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA: duplicate keys
        130,  # CANNOT_READ_ARRAY_FROM_TEXT
        131,  # TOO_LARGE_STRING_SIZE
        306,  # TOO_DEEP_RECURSION: over 1,000 levels below a key that is not a column
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        376,  # CANNOT_PARSE_UUID
        407,  # DECIMAL_OVERFLOW
        441,  # CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING
        467,  # CANNOT_PARSE_BOOL
        469,  # VIOLATED_CONSTRAINT
        675,  # CANNOT_PARSE_IPV4
        676,  # CANNOT_PARSE_IPV6
    }
)
UNAVAILABLE_CODES = frozenset(
    {
        198,  # DNS_ERROR
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        242,  # TABLE_IS_READ_ONLY: a replica without its Keeper
        243,  # NOT_ENOUGH_SPACE
        285,  # TOO_FEW_LIVE_REPLICAS
        286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        364,  # RECEIVED_ERROR_TOO_MANY_REQUESTS
        425,  # SYSTEM_ERROR
        439,  # CANNOT_SCHEDULE_TASK
        700,  # USER_SESSION_LIMIT_EXCEEDED
        733,  # TABLE_IS_BEING_RESTARTED
        745,  # SERVER_OVERLOADED
        999,  # KEEPER_EXCEPTION
    }
)
CREDENTIAL_CODES = frozenset({192, 193, 194, 195, 516})
"""UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, IP_ADDRESS_NOT_ALLOWED, AUTHENTICATION_FAILED."""
CONFIGURATION_CODES = CREDENTIAL_CODES | {
    8,  # THERE_IS_NO_COLUMN
    10,  # NOT_FOUND_COLUMN_IN_BLOCK
    16,  # NO_SUCH_COLUMN_IN_TABLE
    20,  # NUMBER_OF_COLUMNS_DOESNT_MATCH
    36,  # BAD_ARGUMENTS
    44,  # ILLEGAL_COLUMN
    47,  # UNKNOWN_IDENTIFIER
    48,  # NOT_IMPLEMENTED
    60,  # UNKNOWN_TABLE
    62,  # SYNTAX_ERROR
    73,  # UNKNOWN_FORMAT
    80,  # INCORRECT_QUERY
    81,  # UNKNOWN_DATABASE
    115,  # UNKNOWN_SETTING
    164,  # READONLY
    218,  # TABLE_IS_DROPPED
    291,  # DATABASE_ACCESS_DENIED
    344,  # SUPPORT_IS_DISABLED
    452,  # SETTING_CONSTRAINT_VIOLATION
    497,  # ACCESS_DENIED
}
NETWORK_CODES = frozenset({209, 210})
"""SOCKET_TIMEOUT, NETWORK_ERROR: inside the store's cluster; an INSERT may have been stored."""

_UNANSWERED_INSERT: dict[Exchange, InsertErrorClass] = {
    Exchange.NEVER_SENT: StoreUnavailable,
    Exchange.INTERRUPTED: UnknownOutcome,
    Exchange.REFUSED_BY_DRIVER: StoreMisconfigured,
}
_TOO_MANY_PARTS = 252
_MEMORY_LIMIT_EXCEEDED = 241
_TOO_MANY_BYTES = 307
_PAYLOAD_TOO_LARGE = 413
_BUSY_STATUSES = frozenset({429, 503})
# From a gateway: 502 and 504 say that the store behind it did not answer in time, which is no proof of anything.
_REFUSED_STATUSES = frozenset({401, 403, 404})


def classify_insert(
    code: int | None, text: str = "", *, status: int | None = None, exchange: Exchange = Exchange.ANSWERED
) -> InsertErrorClass:
    """Choose the error class for an INSERT that failed.

    Args:
        code: the ClickHouse error code, if an answer carried one.
        text: what the store said; needed because two codes mean two things each.
        status: the HTTP status, for an answer without a code (a proxy in between).
        exchange: how far the request got.
    """
    if exchange is not Exchange.ANSWERED:
        return _UNANSWERED_INSERT[exchange]
    if code is None:
        return _classify_status(status)
    if code == _TOO_MANY_PARTS:
        # "Too many partitions for single INSERT block" is this INSERT's shape; "Too many parts in all partitions in
        # total" and "Too many parts, merges are slower than inserts" are the table's state.
        return ShapeError if "too many partitions" in text.lower() else StoreUnavailable
    if code == _MEMORY_LIMIT_EXCEEDED:
        # "(total)": the whole server is short of memory, whatever this INSERT is like.
        return StoreUnavailable if "(total)" in text else ShapeError
    return _classify_code(code)


def _classify_code(code: int) -> InsertErrorClass:
    if code == _TOO_MANY_BYTES:
        return ShapeError
    if code in DATA_CODES:
        return DataError
    if code in UNAVAILABLE_CODES:
        return StoreUnavailable
    if code in CONFIGURATION_CODES:
        return StoreMisconfigured
    return UnknownOutcome


def _classify_status(status: int | None) -> InsertErrorClass:
    if status in _BUSY_STATUSES:
        return StoreUnavailable
    if status in _REFUSED_STATUSES:
        return StoreMisconfigured
    if status == _PAYLOAD_TOO_LARGE:
        return ShapeError
    return UnknownOutcome


def classify_query(
    code: int | None, *, status: int | None = None, exchange: Exchange = Exchange.ANSWERED
) -> QueryErrorClass:
    """Choose the error class for a statement of the user's, or of ours, that is no INSERT of lines; arguments as above."""
    if exchange is not Exchange.ANSWERED:
        return QueryError if exchange is Exchange.REFUSED_BY_DRIVER else StoreUnavailable
    if code in CREDENTIAL_CODES or (code is None and status in _REFUSED_STATUSES):
        return StoreMisconfigured
    if code in UNAVAILABLE_CODES or code in NETWORK_CODES:
        return StoreUnavailable
    return StoreUnavailable if code is None and status is not None else QueryError


def _with_code(reason: str, code: int | None) -> str:
    return reason if code is None else f"{reason} [ClickHouse code {code}]"
