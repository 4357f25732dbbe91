"""The store: a ClickHouse server or an embedded chDB folder, and how batches of JSON lines get into its tables."""

from .client import open_store
from .dsn import StoreDsn
from .errors import (
    DataError,
    QueryError,
    ShapeError,
    ShardRefused,
    StoreMisconfigured,
    StoreUnavailable,
    UnknownOutcome,
    ViewFailed,
)
from .identifiers import quote_identifier, quote_table
from .insert_plan import InsertPlan
from .protocols import Compression, LineFormat, Result, Store
from .table import FEEDS_VIEWS, ClickHouseTable
from .views import find_fed_twice

__all__ = [
    "FEEDS_VIEWS",
    "ClickHouseTable",
    "Compression",
    "DataError",
    "InsertPlan",
    "LineFormat",
    "QueryError",
    "Result",
    "ShapeError",
    "ShardRefused",
    "Store",
    "StoreDsn",
    "StoreMisconfigured",
    "StoreUnavailable",
    "UnknownOutcome",
    "ViewFailed",
    "find_fed_twice",
    "open_store",
    "quote_identifier",
    "quote_table",
]
