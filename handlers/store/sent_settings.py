"""What every INSERT asks of the engine instead of trusting the profile of its user.

The rule: a setting stands here if another value of it can change which rows an accepted INSERT stores, can have good rows taken
for bad ones, or can keep an accepted INSERT from being stored for good, once and as a whole. What only makes an INSERT slower, or
refuses it whatever its rows are, is the server's affair; what makes it cheaper stands below, and goes along where it may.
"""

import msgspec

ONE_BLOCK_ROWS = 1_048_449
ONE_BLOCK_BYTES = 268_402_944
"""The engine's own defaults. With blocks of 1,000 rows a batch of 50,000 that was refused at its last line left 33,499 behind;
with these, up to 300,000 lines and 101 MB, none."""


class Sent(msgspec.Struct, frozen=True):
    """One setting that goes with every INSERT to an engine that knows it.

    Args:
        value: what is sent.
        reason: what another value would do; a few words.
        needs: another setting that tells the engines it is sent to by being known there; empty for all.
    """

    value: str | int
    reason: str
    needs: str = ""


SENT: dict[str, Sent] = {
    # An answer means: stored.
    "async_insert": Sent(0, "1 (the default since 26.3) answers before the rows are in the table"),
    "wait_for_async_insert": Sent(1, "0 answers before they are, where a server insists on async inserts"),
    "distributed_foreground_insert": Sent(1, "0 answers when a Distributed table has the rows in a spool of its own"),
    "insert_distributed_sync": Sent(1, "the same, on engines before 23.9"),
    # Once.
    "insert_deduplicate": Sent(1, "0 stores a repeated INSERT twice"),
    "deduplicate_insert": Sent("enable", "the same, from 26.2 on; it wins over the one before"),
    "deduplicate_blocks_in_dependent_materialized_views": Sent(
        1, "0 feeds views again that have had a repeated INSERT", needs="deduplicate_insert"
    ),
    "insert_distributed_one_random_shard": Sent(0, "1 sends a repeated INSERT to another shard, which has not seen it"),
    "insert_shard_id": Sent(0, "another number sends the rows of every shard to that one"),
    # All rows.
    "input_format_allow_errors_num": Sent(0, "more skips as many rows that cannot be read, and says nothing"),
    "input_format_allow_errors_ratio": Sent(0, "more skips that part of the rows"),
    "input_format_connection_handling": Sent(0, "1 stores what had come when the connection broke"),
    "timeout_overflow_mode": Sent("throw", "break stores what was read in time"),
    "read_overflow_mode": Sent("throw", "break stores as many rows as the user may read"),
    "read_overflow_mode_leaf": Sent("throw", "the same, on a shard"),
    "group_by_overflow_mode": Sent("throw", "break and any leave groups out of a view"),
    "distinct_overflow_mode": Sent("throw", "break leaves rows out of a view"),
    "join_overflow_mode": Sent("throw", "the same"),
    "set_overflow_mode": Sent("throw", "the same"),
    "sort_overflow_mode": Sent("throw", "the same"),
    "additional_table_filters": Sent("{}", "another one leaves rows out of a view"),
    "additional_result_filter": Sent("", "the same"),
    "limit": Sent(0, "another number ends a view's rows there"),
    "offset": Sent(0, "another number leaves out a view's first rows"),
    "materialized_views_ignore_errors": Sent(0, "1 accepts an INSERT that a view did not get"),
    "ignore_materialized_views_with_dropped_target_table": Sent(0, "1 skips a view without a word"),
    "optimize_on_insert": Sent(1, "0 leaves rows of one key beside each other until the next merge"),
    # As a whole: one INSERT is one block, refused as a whole or not at all.
    "max_insert_block_size": Sent(
        ONE_BLOCK_ROWS, "fewer cut an INSERT, and its first blocks stay when a later one fails"
    ),
    "max_insert_block_size_rows": Sent(ONE_BLOCK_ROWS, "the same"),
    "max_insert_block_size_bytes": Sent(0, "the same"),
    "min_insert_block_size_rows": Sent(ONE_BLOCK_ROWS, "the same"),
    "min_insert_block_size_bytes": Sent(ONE_BLOCK_BYTES, "the same"),
    "use_strict_insert_block_limits": Sent(0, "the same"),
    "input_format_max_block_size_bytes": Sent(0, "the same"),
    "input_format_max_block_wait_ms": Sent(0, "the same, by the clock"),
    # As they were sent.
    "date_time_input_format": Sent("best_effort", "basic reads no zone"),
    "input_format_read_datetime_number_as_raw_value": Sent(0, "1 reads a number as milliseconds"),
    "input_format_json_read_objects_as_strings": Sent(1, "0 refuses properties that are an object"),
    "input_format_json_read_arrays_as_strings": Sent(1, "0 refuses an array in a text column"),
    "input_format_json_read_numbers_as_strings": Sent(1, "0 refuses a number in a text column"),
    "input_format_json_read_bools_as_strings": Sent(1, "0 refuses a boolean in a text column"),
    "input_format_json_read_bools_as_numbers": Sent(1, "0 refuses a boolean in a number column"),
    "input_format_json_named_tuples_as_objects": Sent(1, "0 wants an array"),
    "input_format_json_map_as_array_of_tuples": Sent(0, "1 wants an array"),
    "input_format_json_defaults_for_missing_elements_in_named_tuple": Sent(1, "0 refuses an object without them"),
    "input_format_json_ignore_unknown_keys_in_named_tuple": Sent(1, "0 refuses an object with more keys"),
    "input_format_json_empty_as_default": Sent(0, "1 stores the default for an empty text"),
    "input_format_json_throw_on_bad_escape_sequence": Sent(1, "0 stores a broken escape as it stands"),
    "input_format_json_max_depth": Sent(1000, "less refuses deep values"),
    "input_format_json_max_object_size": Sent(536_870_912, "less refuses long lines as bad data"),
    "min_chunk_bytes_for_parallel_parsing": Sent(10_485_760, "the same"),
    "input_format_json_try_infer_numbers_from_strings": Sent(0, "1 stores a text of a JSON column as a number"),
    "input_format_json_infer_array_of_dynamic_from_array_of_different_types": Sent(
        1, "0 stores numbers of a mixed array as text"
    ),
    "input_format_import_nested_json": Sent(0, "1 reads the keys of an object as columns"),
    "input_format_skip_unknown_fields": Sent(1, "0 refuses a key that is no column"),
    "input_format_column_name_matching_mode": Sent(
        "match_case", "auto (the default) takes the key ID for the column id"
    ),
    "input_format_json_ignore_unnecessary_fields": Sent(
        0, "1 (the default since 24.4) stops at the last column: of a key given twice the first value is stored"
    ),
    "input_format_null_as_default": Sent(1, "0 refuses null where a column has a default"),
    "input_format_defaults_for_omitted_fields": Sent(1, "0 stores zeroes where a column has a default, such as now()"),
    "input_format_force_null_for_omitted_fields": Sent(0, "1 stores null there"),
    "precise_float_parsing": Sent(1, "0 stores a neighbour of the number"),
    "type_json_skip_duplicated_paths": Sent(0, "1 leaves a value out of a JSON column"),
    "type_json_skip_invalid_typed_paths": Sent(0, "the same"),
    "type_json_skip_null_typed_paths": Sent(0, "the same"),
}

WISHED: dict[str, str | int] = {"input_format_parallel_parsing": 0}
"""What saves the store work and decides about no row: sent where the user may set it. To cut a body into pieces for some threads
costs the store a tenth of an INSERT's CPU time, and there are pieces from 10 MB on only. Without it a server that shares 2 cores
with `millstream run` takes 1.08 times as many rows a second (1.04 to 1.12, nine alternating runs)."""
