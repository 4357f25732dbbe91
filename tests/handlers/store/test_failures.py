"""What an error of the driver becomes, from plain values."""

import pytest

from millstream.handlers.store import StoreDsn
from millstream.handlers.store.classification import Exchange
from millstream.handlers.store.errors import (
    DataError,
    QueryError,
    StoreMisconfigured,
    StoreUnavailable,
    UnknownOutcome,
    ViewFailed,
)
from millstream.handlers.store.failures import Failure, insert_error, opening_error, query_error

DSN = StoreDsn.parse("http://me:hush@store:8123/")
SHOWN = "http://me:***@store:8123/"
WRONG_LOGIN = "Code: 516. DB::Exception: me: Authentication failed (AUTHENTICATION_FAILED)"
IN_A_VIEW = "Code: 72. DB::Exception: Cannot read it here: hush: while pushing to view d.v. (CANNOT_PARSE_NUMBER)"
BAD_ROW = "Code: 469. DB::Exception: Constraint `c` is violated at row 7 (VIOLATED_CONSTRAINT)"


@pytest.mark.parametrize(
    ("become", "failure", "expected"),
    [
        pytest.param(
            opening_error,
            Failure("", Exchange.NEVER_SENT, network_reason="Connection refused"),
            StoreUnavailable(f"cannot reach {SHOWN}: Connection refused"),
            id="opening without a connection",
        ),
        pytest.param(
            opening_error,
            Failure("HTTP status 503", Exchange.ANSWERED),
            StoreUnavailable(f"{SHOWN} cannot answer now: HTTP status 503"),
            id="opening at a busy proxy",
        ),
        pytest.param(
            opening_error,
            Failure(WRONG_LOGIN, Exchange.ANSWERED, 516),
            StoreMisconfigured(f"{SHOWN} refuses: me: Authentication failed", code=516),
            id="opening with a wrong password",
        ),
        pytest.param(
            insert_error,
            Failure(BAD_ROW, Exchange.ANSWERED, 469),
            DataError("Constraint `c` is violated at row 7", code=469, row=7),
            id="insert of a bad row",
        ),
        pytest.param(
            query_error,
            Failure("Code: 81. DB::Exception: Database shop does not exist. (UNKNOWN_DATABASE)", Exchange.ANSWERED, 81),
            QueryError(f"Database shop does not exist: create it first, or is {SHOWN} the wrong store?", code=81),
            id="query in a database that is not there",
        ),
        pytest.param(
            insert_error,
            Failure(IN_A_VIEW, Exchange.ANSWERED, 72),
            ViewFailed("d.v", "CANNOT_PARSE_NUMBER", code=72),
            id="insert that a view fails on",
        ),
        pytest.param(
            insert_error,
            Failure("x", Exchange.INTERRUPTED, network_reason="Broken pipe"),
            UnknownOutcome(f"{SHOWN}: Broken pipe"),
            id="insert without an answer",
        ),
        pytest.param(
            insert_error,
            Failure("wrong hush", Exchange.REFUSED_BY_DRIVER),
            StoreMisconfigured("wrong ***"),
            id="insert that the driver does not send",
        ),
        pytest.param(
            query_error,
            Failure("x", Exchange.INTERRUPTED, network_reason="Broken pipe"),
            StoreUnavailable(f"{SHOWN}: Broken pipe"),
            id="query without an answer",
        ),
        pytest.param(
            query_error,
            Failure("Code: 62. DB::Exception: Syntax error near hush (SYNTAX_ERROR)", Exchange.ANSWERED, 62),
            QueryError("Syntax error near ***", code=62),
            id="query that is wrong",
        ),
    ],
)
def test_failure_becomes_one_error_without_secrets(become, failure, expected):
    """Expect the class, the reason in words without a password, the code, and the row where there is one."""
    error = become(DSN, failure)

    assert type(error) is type(expected)
    assert (str(error), error.reason, error.code) == (str(expected), expected.reason, expected.code)
    assert getattr(error, "row", None) == getattr(expected, "row", None)
