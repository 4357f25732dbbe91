"""What every INSERT of lines asks of the engine."""

from collections.abc import Collection

from .protocols import InsertSettings

INSERT_SETTINGS: InsertSettings = {
    "async_insert": 0,  # on by default since 26.3: an answer would no longer mean "stored"
    "insert_deduplicate": 1,
    "date_time_input_format": "best_effort",
    "input_format_json_read_objects_as_strings": 1,
    "input_format_skip_unknown_fields": 1,
    "input_format_null_as_default": 1,
    # One INSERT is one block, so that it is refused as a whole or not at all. These are the engine's defaults, sent
    # because a server's profile may lower them: with blocks of 1,000 rows a batch of 50,000 that was refused at its last
    # line left 33,499 behind; with these, up to 300,000 lines and 101 MB, none.
    "max_insert_block_size": 1_048_449,
    "min_insert_block_size_rows": 1_048_449,
    "min_insert_block_size_bytes": 268_402_944,
    "wait_end_of_query": 1,
}
NEWER_SETTINGS: InsertSettings = {
    # By default a newer engine takes the key "ID" for the column id where an older one ignores it, as our decoder does.
    "input_format_column_name_matching_mode": "match_case",
}
"""Sent to engines that know them; the older ones behave so anyway."""

EXECUTION_MARGIN = 5.0
"""Seconds by which the store gives an INSERT up before we do, so that there is an answer to wait for."""


def insert_settings(deadline: float, known: Collection[str]) -> dict[str, str | int]:
    """Return what every INSERT carries, but for its token.

    Args:
        deadline: seconds we wait for one INSERT.
        known: the names of the settings that the engine has.
    """
    return {
        **INSERT_SETTINGS,
        **{name: value for name, value in NEWER_SETTINGS.items() if name in known},
        "max_execution_time": max(1, round(deadline - EXECUTION_MARGIN)),
    }
