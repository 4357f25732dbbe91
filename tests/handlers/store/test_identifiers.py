"""Names that stand in SQL."""

import pytest

from millstream.handlers.store.identifiers import quote_identifier, quote_table
from millstream.router.errors import ConfigurationError


def test_plain_name_is_put_between_backticks():
    """A name of letters, digits and underscores is quoted as it is."""
    quoted = quote_identifier("usage_events_2")

    assert quoted == "`usage_events_2`"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("2events", id="digit first"),
        pytest.param("events`", id="backtick"),
        pytest.param("events; DROP TABLE events", id="statement"),
        pytest.param("db.events", id="two names in one"),
        pytest.param("events\n", id="line end"),
        pytest.param("ereignisse_ä", id="letter beyond ASCII"),
        pytest.param("e" * 207, id="too long for a file name"),
    ],
)
def test_anything_else_is_refused_with_the_name_in_the_error(name):
    """A name that could mean something else in SQL is a configuration error that shows it."""
    with pytest.raises(ConfigurationError) as caught:
        quote_identifier(name)

    assert repr(name[:80]) in str(caught.value)


def test_table_is_quoted_with_its_database():
    """Database and table are quoted each, joined by a dot."""
    full_name = quote_table("billing", "events")

    assert full_name == "`billing`.`events`"
