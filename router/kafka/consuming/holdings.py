"""The name by which `unpacking` knows `OwnedPartitions`."""

from .owned_partitions import OwnedPartitions as Holdings

__all__ = ["Holdings"]
