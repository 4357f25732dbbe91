"""Whether the outcome of a batch accounts for each of its messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain, islice

from millstream.router.callables import given_up

from .batch import Batch, BatchResult

MAX_NAMED = 5
"""Places that an error names: enough to look for them."""


def check(result: object, batch: Batch) -> BatchResult:
    """Return the outcome of *batch*: *result*, or that everything is done where it is `None`.

    Raises:
        TypeError: it is no outcome.
        ValueError: it does not fit *batch*: what it fails to name would count as done, and be lost.
    """
    places = range(len(batch))
    if result is None:
        if refused := _text(sorted(batch.refused | batch.left)):
            text = "process_batch returned None, which says that everything is done, but a table has not taken"
            raise ValueError(f"{text} {refused} of {len(batch)}: return the BatchResult that the table returned")
        return BatchResult(done=places)
    given_up(result)
    if not isinstance(result, BatchResult) or not isinstance(result.failures, Mapping):
        raise TypeError(f"process_batch must return None or a BatchResult with a mapping of failures, not {result!r}")
    for place, error in result.failures.items():
        if not isinstance(error, BaseException):
            raise TypeError(f"process_batch failed the place {place!r} with {error!r}, which is no exception")
    if result.done != places or result.failures or result.left:
        _require_each_once(Counter(chain(result.done, result.failures, result.left)), places)
    if done := _text(sorted(batch.left.intersection(result.done))):
        raise ValueError(
            f"process_batch says that {done} of {len(batch)} are done, but a table has left them, as the router halts"
        )
    return result


def _require_each_once(named: Counter[int], places: range) -> None:
    begins = "process_batch must name each message once, in done, failures or left: of"
    if strange := _text(place for place in named if place not in places):
        raise ValueError(f"{begins} {len(places)} there is none at {strange}")
    if missing := _text(place for place in places if place not in named):
        raise ValueError(f"{begins} {len(places)} it leaves out {missing}")
    if twice := _text(place for place, count in named.items() if count > 1):
        raise ValueError(f"{begins} {len(places)} it names more than once {twice}")


def _text(places: Iterable[int]) -> str:
    """Return the first of *places* as text."""
    return ", ".join(map(repr, islice(places, MAX_NAMED)))
