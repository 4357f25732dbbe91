"""How many batches of events may be in flight."""

import msgspec

from millstream.handlers.batching import BatchConfig
from millstream.handlers.store import Store
from millstream.router.callables import require_instance


def with_in_flight(config: BatchConfig | None, store: Store, *, tells_others: bool) -> BatchConfig:
    """Return *config* with `max_in_flight` chosen where it is `None`: as many as *store* takes side by side.

    Args:
        config: as it was given; `None`: the default one.
        store: where the events go.
        tells_others: whether somebody is told of each event that is stored. They are told in the order of their keys, which two
            batches at a time would not keep: then it is 1.
    """
    config = BatchConfig() if config is None else config
    require_instance("batch_config", config, BatchConfig, "BatchConfig(…)")
    if config.max_in_flight is not None:
        return config
    return msgspec.structs.replace(config, max_in_flight=1 if tells_others else store.at_once)
