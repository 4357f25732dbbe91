"""What a batch configuration accepts."""

import re

import pytest

from millstream.handlers.batching import BatchConfig
from millstream.router import ConfigurationError


def test_defaults_are_those_of_the_original():
    """A batch configuration starts from 250 messages, 5 seconds and 3 retries."""
    config = BatchConfig()

    assert (config.batch_size, config.flush_interval, config.max_retries) == (250, 5.0, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("batch_size", 0, id="no messages"),
        pytest.param("flush_interval", 0.0, id="no interval"),
        pytest.param("max_retries", -1, id="negative retries"),
        pytest.param("max_batch_bytes", 0, id="no bytes"),
        pytest.param("max_pending_bytes", -5, id="negative bound"),
        pytest.param("retry_interval", 0.0, id="no wait"),
        pytest.param("wait_interval", -1.0, id="negative wait"),
        pytest.param("halt_after", -1.0, id="negative halt"),
        pytest.param("max_batch_size", 10, id="below the batch size"),
        pytest.param("flush_interval", float("inf"), id="longer than a thread can wait"),
        pytest.param("wait_interval", 1e300, id="a wait longer than a thread can wait"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_value(field, value):
    """A value that makes no sense is refused, and the error names the field and the value."""
    with pytest.raises(ConfigurationError, match=rf"batch\.{field} .*{re.escape(str(value))}"):
        BatchConfig(**{field: value})


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        pytest.param({}, 50_000, id="default"),
        pytest.param({"batch_size": 1}, 1, id="rollback to one event an INSERT"),
        pytest.param({"batch_size": 80_000}, 80_000, id="batch size above the default limit"),
        pytest.param({"batch_size": 1, "max_batch_size": 100}, 100, id="explicit"),
    ],
)
def test_the_limit_of_a_batch_follows_the_batch_size(options, limit):
    """A batch may grow to 50,000 messages unless that would undo a batch size of 1 or one above it."""
    assert BatchConfig(**options).limit == limit
