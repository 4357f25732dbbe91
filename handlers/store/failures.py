"""What an error of the driver means: one of ours, with a reason that shows no secret and no value of a row."""

import msgspec

from millstream.router.errors import MillstreamError

from .classification import UNKNOWN_DATABASE, Exchange, classify_insert, classify_query
from .dsn import StoreDsn
from .errors import DataError, ShardRefused, StoreMisconfigured, StoreUnavailable, ViewFailed
from .reasons import error_name, failed_view, http_status, row_hint, row_reason, short_reason


class Failure(msgspec.Struct, frozen=True):
    """What the driver could find out about a request that failed.

    Args:
        text: what it says, secrets included.
        exchange: how far the request got.
        code: the ClickHouse error code, if an answer carried one.
        network_reason: what the network said; `None` where it is not to blame.
    """

    text: str
    exchange: Exchange
    code: int | None = None
    network_reason: str | None = None


def opening_error(dsn: StoreDsn, failure: Failure) -> MillstreamError:
    """Return the error for a server that could not be opened."""
    if failure.network_reason is not None:
        return StoreUnavailable(f"cannot reach {dsn.redacted}: {failure.network_reason}")
    reason = dsn.without_secrets(short_reason(failure.text))
    kind = classify_query(failure.code, failure.text, status=http_status(failure.text), exchange=failure.exchange)
    if kind is StoreUnavailable:
        return StoreUnavailable(f"{dsn.redacted} cannot answer now: {reason}", code=failure.code)
    return StoreMisconfigured(f"{dsn.redacted} refuses: {reason}", code=failure.code)


def insert_error(dsn: StoreDsn, failure: Failure) -> MillstreamError:
    """Return the error for an INSERT that failed."""
    text, code = _text(dsn, failure), failure.code
    kind = classify_insert(code, text, status=http_status(text), exchange=failure.exchange)
    if kind is DataError:
        return DataError(row_reason(text), code=code, row=row_hint(text))
    if kind is ViewFailed:
        # Not what the engine says beyond that: it quotes values.
        return ViewFailed(failed_view(text) or "", error_name(text), code=code)
    if kind is ShardRefused:
        return ShardRefused(row_reason(text), code=code)
    return kind(short_reason(text), code=code)


def query_error(dsn: StoreDsn, failure: Failure) -> MillstreamError:
    """Return the error for a statement that failed."""
    text = _text(dsn, failure)
    kind = classify_query(failure.code, text, status=http_status(text), exchange=failure.exchange)
    reason = short_reason(text)
    if failure.code == UNKNOWN_DATABASE:
        # Often the wrong server, rather than a missing database.
        reason = f"{reason}: create it first, or is {dsn.redacted} the wrong store?"
    return kind(reason, code=failure.code)


def _text(dsn: StoreDsn, failure: Failure) -> str:
    if failure.network_reason is not None:
        return f"{dsn.redacted}: {failure.network_reason}"
    return dsn.without_secrets(failure.text)
