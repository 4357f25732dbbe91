"""Values that get every setting wrong that an INSERT depends on."""

from millstream.handlers.store.sent_settings import SENT

OTHERS: dict[str, str | int | float] = {
    "deduplicate_insert": "disable",
    "insert_shard_id": 1,
    "input_format_allow_errors_num": 10,
    "input_format_allow_errors_ratio": 0.9,
    "timeout_overflow_mode": "break",
    "read_overflow_mode": "break",
    "read_overflow_mode_leaf": "break",
    "group_by_overflow_mode": "any",
    "distinct_overflow_mode": "break",
    "join_overflow_mode": "break",
    "set_overflow_mode": "break",
    "sort_overflow_mode": "break",
    "additional_table_filters": "{'{database}.events': 'tenant_id = 1'}",
    "additional_result_filter": "id != 'a'",
    "max_insert_block_size": 2,
    "max_insert_block_size_rows": 2,
    "max_insert_block_size_bytes": 100,
    "min_insert_block_size_rows": 2,
    "min_insert_block_size_bytes": 100,
    "input_format_max_block_size_bytes": 100,
    "input_format_max_block_wait_ms": 1,
    "date_time_input_format": "basic",
    "input_format_json_max_depth": 2,
    "input_format_json_max_object_size": 10,
    "min_chunk_bytes_for_parallel_parsing": 3,
    "input_format_column_name_matching_mode": "ignore_case",
}
"""What is not simply 0 for 1, or 1 for 0."""

BREAKS_READING = frozenset({"additional_result_filter", "limit", "offset"})
"""In a profile, these keep a client from opening: they change the answer to each of its questions."""


def other(name: str) -> str | int | float:
    """Return another value for the setting *name* than is sent; `{database}` in it stands for that of the tables."""
    return OTHERS[name] if name in OTHERS else 1 - int(SENT[name].value)


def hostile_profile(known: set[str]) -> dict[str, str | int | float]:
    """Return another value for every setting that is sent, is *known*, and leaves its user able to read."""
    return {name: other(name) for name in SENT if name in known - BREAKS_READING}
