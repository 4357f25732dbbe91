"""Which error class a failure gets: chosen from what the driver could find out, as plain values.

An error code that is in no table counts as an unknown outcome: it is tried again and never blamed on a row. What a view raises
comes after its table has taken the rows, whatever the code: no row is to blame, and nothing may be cut. The same holds for what
one shard of a Distributed table raises: the others may have taken theirs.
"""

import enum
from collections.abc import Mapping

from .errors import (
    DataError,
    QueryError,
    ShapeError,
    ShardRefused,
    StoreMisconfigured,
    StoreUnavailable,
    UnknownOutcome,
    ViewFailed,
)
from .reasons import failed_view, shards_written


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
    type[DataError]
    | type[ShapeError]
    | type[StoreUnavailable]
    | type[UnknownOutcome]
    | type[StoreMisconfigured]
    | type[ViewFailed]
    | type[ShardRefused]
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
        33,  # CANNOT_READ_ALL_DATA: an object that ends too early, as the last one
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA: duplicate keys
        130,  # CANNOT_READ_ARRAY_FROM_TEXT
        131,  # TOO_LARGE_STRING_SIZE
        153,  # ILLEGAL_DIVISION: by zero, in a constraint, a default or a computed column
        306,  # TOO_DEEP_RECURSION: over 1,000 levels below a key that is not a column
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        376,  # CANNOT_PARSE_UUID
        395,  # FUNCTION_THROW_IF_VALUE_IS_NON_ZERO: throwIf in one of them
        407,  # DECIMAL_OVERFLOW
        441,  # CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING
        467,  # CANNOT_PARSE_BOOL
        469,  # VIOLATED_CONSTRAINT
        675,  # CANNOT_PARSE_IPV4
        676,  # CANNOT_PARSE_IPV6
        691,  # UNKNOWN_ELEMENT_OF_ENUM
    }
)
UNAVAILABLE_CODES = frozenset(
    {
        198,  # DNS_ERROR
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        285,  # TOO_FEW_LIVE_REPLICAS
        364,  # RECEIVED_ERROR_TOO_MANY_REQUESTS
        700,  # USER_SESSION_LIMIT_EXCEEDED
        733,  # TABLE_IS_BEING_RESTARTED
        745,  # SERVER_OVERLOADED
    }
)
"""Said before the INSERT runs: nothing is stored."""
HALFWAY_CODES = frozenset(
    {
        242,  # TABLE_IS_READ_ONLY: a replica without its Keeper
        243,  # NOT_ENOUGH_SPACE
        286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        425,  # SYSTEM_ERROR
        439,  # CANNOT_SCHEDULE_TASK
        999,  # KEEPER_EXCEPTION
    }
)
"""Said while it is written, one partition after the other: the first ones may be stored, each for itself."""
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
    55,  # STORAGE_REQUIRES_PARAMETER: a Distributed table of several shards without a sharding key
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
UNKNOWN_DATABASE = 81
SETTING_CODES = frozenset({115, 452})
"""UNKNOWN_SETTING, SETTING_CONSTRAINT_VIOLATION: a setting that we send is not taken, or no longer."""
TYPE_CODES = frozenset({53, 70})
"""TYPE_MISMATCH, CANNOT_CONVERT_TYPE: a column may have another type than it had."""
NETWORK_CODES = frozenset({209, 210})
"""SOCKET_TIMEOUT, NETWORK_ERROR: inside the store's cluster; an INSERT may have been stored."""

_PASSING_CODES = HALFWAY_CODES | NETWORK_CODES | {159, 319, 394}
"""With TIMEOUT_EXCEEDED, UNKNOWN_STATUS_OF_INSERT, QUERY_WAS_CANCELLED: what passes by itself, also in a view."""
_TOO_MANY_PARTS = 252
_MEMORY_LIMIT_EXCEEDED = 241
_MEMORY_OF_OTHERS = ("(total)", "(for user)", "User memory limit", "OvercommitTracker")
"""What its text has where the limit is not that of one query; the engine's words of several years."""
_TOO_MANY_BYTES = 307

_INSERT_UNANSWERED: Mapping[Exchange, InsertErrorClass] = {
    Exchange.NEVER_SENT: StoreUnavailable,
    Exchange.INTERRUPTED: UnknownOutcome,
    Exchange.REFUSED_BY_DRIVER: StoreMisconfigured,
}
_INSERT_BY_CODE: Mapping[int, InsertErrorClass] = {
    **dict.fromkeys(DATA_CODES, DataError),
    **dict.fromkeys(UNAVAILABLE_CODES, StoreUnavailable),
    **dict.fromkeys(HALFWAY_CODES, UnknownOutcome),
    **dict.fromkeys(CONFIGURATION_CODES, StoreMisconfigured),
    _TOO_MANY_BYTES: ShapeError,
}
_QUERY_BY_CODE: Mapping[int, QueryErrorClass] = {
    **dict.fromkeys(UNAVAILABLE_CODES | HALFWAY_CODES | NETWORK_CODES, StoreUnavailable),
    **dict.fromkeys(CREDENTIAL_CODES, StoreMisconfigured),
}
_REFUSED_STATUSES = frozenset({401, 403, 404})
# Without 502 and 504: from a gateway they say that the store behind it did not answer in time, no proof of anything.
_INSERT_BY_STATUS: Mapping[int | None, InsertErrorClass] = {
    **dict.fromkeys(_REFUSED_STATUSES, StoreMisconfigured),
    413: ShapeError,  # payload too large
    429: StoreUnavailable,  # too many requests
    503: StoreUnavailable,
}


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
        return _INSERT_UNANSWERED[exchange]
    if code is None:
        return _INSERT_BY_STATUS.get(status, UnknownOutcome)
    kind = _by_code(code, text)
    is_passing = kind is StoreUnavailable or code in _PASSING_CODES
    if failed_view(text) is not None:
        return UnknownOutcome if is_passing else ViewFailed
    # A table on one shard is refused as that shard's own would be.
    if shards_written(text) > 1:
        return UnknownOutcome if is_passing or kind is UnknownOutcome else ShardRefused
    return kind


def _by_code(code: int, text: str) -> InsertErrorClass:
    if code == _TOO_MANY_PARTS:
        # "Too many partitions for single INSERT block" is this INSERT's shape; "Too many parts in all partitions in
        # total" and "Too many parts, merges are slower than inserts" are the table's state.
        return ShapeError if "too many partitions" in text.lower() else StoreUnavailable
    if code == _MEMORY_LIMIT_EXCEEDED:
        return StoreUnavailable if _others_have_memory(text) else ShapeError
    return _INSERT_BY_CODE.get(code, UnknownOutcome)


def _others_have_memory(text: str) -> bool:
    """Whether the whole server is short of memory, or all that its user runs, whatever this statement is like."""
    return any(each in text for each in _MEMORY_OF_OTHERS)


def classify_query(
    code: int | None, text: str = "", *, status: int | None = None, exchange: Exchange = Exchange.ANSWERED
) -> QueryErrorClass:
    """Choose the error class for a statement of the user's, or of ours, that is no INSERT of lines; arguments as above."""
    if exchange is not Exchange.ANSWERED:
        return QueryError if exchange is Exchange.REFUSED_BY_DRIVER else StoreUnavailable
    if code is None:
        if status is None:
            return QueryError
        return StoreMisconfigured if status in _REFUSED_STATUSES else StoreUnavailable
    if code == _MEMORY_LIMIT_EXCEEDED and _others_have_memory(text):
        return StoreUnavailable
    return _QUERY_BY_CODE.get(code, QueryError)
