"""What every INSERT carries."""

import pytest

from millstream.handlers.store.insert_settings import INSERT_SETTINGS, insert_settings


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param({"input_format_column_name_matching_mode"}, "match_case", id="newer engine"),
        pytest.param(set(), None, id="older engine"),
    ],
)
def test_newer_settings_go_to_engines_that_know_them(known, expected):
    """An engine without a setting would refuse the whole INSERT for it."""
    settings = insert_settings(60.0, known)

    assert settings.get("input_format_column_name_matching_mode") == expected
    assert settings.items() >= INSERT_SETTINGS.items()


@pytest.mark.parametrize(("deadline", "seconds"), [(60.0, 55), (5.5, 1), (0.1, 1)])
def test_engine_gives_up_before_we_do(deadline, seconds):
    """The engine's own limit is five seconds below the deadline, and never 0, which would mean none."""
    settings = insert_settings(deadline, set())

    assert settings["max_execution_time"] == seconds
