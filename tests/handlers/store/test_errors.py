"""What the errors of a store are, and what they carry."""

import pytest

from millstream.handlers.store.errors import (
    DataError,
    QueryError,
    ShapeError,
    StoreMisconfigured,
    StoreUnavailable,
    UnknownOutcome,
)
from millstream.router.errors import ConfigurationError, MillstreamError, PermanentError, TransientError


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        (DataError, PermanentError),
        (ShapeError, MillstreamError),
        (StoreUnavailable, TransientError),
        (UnknownOutcome, TransientError),
        (StoreMisconfigured, ConfigurationError),
        (QueryError, ConfigurationError),
    ],
)
def test_class_says_whether_to_retry_to_poison_or_to_mend(kind, parent):
    """Retry and poison sink choose by the parent class alone."""
    error = kind("no", code=7)

    assert isinstance(error, parent)
    assert (error.reason, error.code) == ("no", 7)
    assert str(error) == "no [ClickHouse code 7]"


def test_refused_rows_say_which_row_it_was():
    """The row is a hint beside reason and code, and part of no text."""
    error = DataError("no", code=469, row=3)

    assert (error.reason, error.code, error.row) == ("no", 469, 3)
    assert str(error) == "no [ClickHouse code 469]"
    assert (str(DataError("no")), DataError("no").row) == ("no", None)


def test_store_that_is_out_of_shape_is_neither_transient_nor_permanent():
    """A batch that is too large may pass in halves: neither retry nor poison may choose for it."""
    error = ShapeError("too many partitions")

    assert not isinstance(error, TransientError | PermanentError | ConfigurationError)
