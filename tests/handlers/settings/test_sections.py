"""What settings are by default, what they refuse, and what they show."""

import pytest
from rich.pretty import pretty_repr

from millstream.handlers.events import BULK, LAZY, REGULAR
from millstream.handlers.settings import ClickHouseConfig, PostProcessingConfig, RetryConfig, RouterSettings, Settings
from millstream.router import ConfigurationError

SECRET_DSN = "https://writer:hunter2@db.example.com/usage?secret_token=hunter3"


def test_without_any_setting_the_store_is_a_folder_here() -> None:
    """An embedded store in the current folder, table `default.events`, two lanes with the original's names, no billing."""
    settings = Settings()

    assert settings.clickhouse.address.redacted == "chdb://millstream-data"
    assert (settings.clickhouse.database, settings.clickhouse.table) == ("default", "events")
    assert (settings.event_processing, settings.event_processing_lazy) == (REGULAR, LAZY)
    assert settings.bulk_event_consumption == BULK
    assert [section for section, lane in settings.lanes.items() if lane.enabled] == [
        "event_processing",
        "event_processing_lazy",
    ]
    assert settings.billing is None
    assert settings.post_processing.topic is None
    assert settings.router.close_timeout == 30


@pytest.mark.parametrize(
    ("options", "database"),
    [
        pytest.param({"dsn": "http://db/usage"}, "usage", id="from the address"),
        pytest.param({"dsn": "http://db/usage", "database": "other"}, "other", id="set beside it"),
        pytest.param({"dsn": "http://db"}, "default", id="in neither"),
        pytest.param({"dsn": "chdb://folder", "database": "other"}, "other", id="of a folder"),
    ],
)
def test_the_database_is_the_one_set_else_the_address_s(options: dict[str, str], database: str) -> None:
    """A database that is set wins over the address's, and without both it is ClickHouse's default."""
    config = ClickHouseConfig(**options)

    assert config.database == database


@pytest.mark.parametrize("show", [repr, str, pretty_repr], ids=["repr", "str", "rich"])
def test_no_way_of_showing_settings_shows_a_password(show) -> None:
    """The address appears, its password and its secret options do not."""
    shown = show(Settings(clickhouse=ClickHouseConfig(dsn=SECRET_DSN)))

    assert "db.example.com" in shown
    assert "hunter" not in shown


@pytest.mark.parametrize(
    ("make", "named"),
    [
        pytest.param(lambda: ClickHouseConfig(dsn="mysql://u:hunter2@x"), "clickhouse.dsn", id="unknown scheme"),
        pytest.param(lambda: ClickHouseConfig(dsn=""), "clickhouse.dsn", id="empty address"),
        pytest.param(lambda: ClickHouseConfig(database="a b"), "clickhouse.database", id="database with a blank"),
        pytest.param(lambda: ClickHouseConfig(table="a`b"), "clickhouse.table", id="table with a backtick"),
        pytest.param(lambda: ClickHouseConfig(dsn="http://x/a-b"), "clickhouse.database", id="database in the address"),
        pytest.param(lambda: ClickHouseConfig(insert_deadline=0.0), "clickhouse.insert_deadline", id="no deadline"),
        pytest.param(
            lambda: ClickHouseConfig(insert_deadline=1e300), "clickhouse.insert_deadline", id="endless deadline"
        ),
        pytest.param(lambda: PostProcessingConfig(topic=""), "post_processing.topic", id="empty topic"),
        pytest.param(lambda: RetryConfig(max_retries=-1), "max_retries", id="negative retries"),
        pytest.param(lambda: RetryConfig(jitter=1.5), "jitter", id="jitter above 1"),
        pytest.param(lambda: RetryConfig(multiplier=0.5), "multiplier", id="shrinking waits"),
        pytest.param(lambda: RouterSettings(close_timeout=-1.0), "close_timeout", id="negative time-out"),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_name(make, named: str) -> None:
    """The error names the setting and shows no password."""
    with pytest.raises(ConfigurationError) as caught:
        make()

    assert named in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_zero_is_a_value() -> None:
    """No retries and no waiting at the end are choices, not gaps to be filled with defaults."""
    retry, router = RetryConfig(max_retries=0, max_elapsed=0.0), RouterSettings(close_timeout=0.0)

    assert (retry.max_retries, retry.max_elapsed, router.close_timeout) == (0, 0.0, 0.0)
