"""Opening the store to look at it: nothing is made, and no answer is waited for longer than the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from millstream.handlers.settings.sections import ClickHouseConfig
from millstream.handlers.store import Store, open_store

from .findings import ANSWER_SECONDS

ANY_DATABASE = "system"
"""There before the database of the settings is."""


def open_for_looking(config: ClickHouseConfig, settings: Mapping[str, str | int] | None = None) -> Store:
    """Open the store; raises as `open_store`.

    Args:
        config: where it is.
        settings: carried by each request, over those of the address.
    """
    carried = {**dict(config.address.settings), **{name: str(value) for name, value in (settings or {}).items()}}
    address = dataclasses.replace(config.address, settings=tuple(carried.items()))
    limit = ANSWER_SECONDS
    return open_store(address, database=ANY_DATABASE, insert_deadline=limit, create=False, query_timeout=limit)
