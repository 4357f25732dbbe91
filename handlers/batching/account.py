"""Whether the outcome of a batch accounts for each of its messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import chain, islice

from millstream.router import HaltedError
from millstream.router.callables import described, given_up

from .batch import Batch, BatchResult

MAX_NAMED = 5
"""Places that an error names: enough to look for them."""


def check(name: str, result: object, batch: Batch) -> BatchResult:
    """Return the outcome of *batch*: *result*, or that everything is done where it is `None`.

    Raises:
        HaltedError: it is no outcome, or does not fit *batch*: what it fails to name would count as done, and be lost. Names the
            batcher, *name*, and what to return.
    """
    places = range(len(batch))
    if result is None:
        if refused := _text(sorted(batch.refused | batch.left)):
            text = "returned None, which says that everything is done, but a table has not taken"
            raise _wrong(name, f"{text} {refused} of {len(batch)}: return the BatchResult that the table returned")
        return BatchResult(done=places)
    given_up(result)
    if not isinstance(result, BatchResult):
        raise _wrong(name, f"returned {_kind(result)}: return None when everything is done, or a BatchResult")
    _require_kinds(name, result)
    if not _is_all(result.done, places) or result.failures or result.left:
        try:
            named = Counter(chain(result.done, result.failures, result.left))
        except TypeError as error:
            raise _wrong(name, f"names what is no place in the batch: {error}") from error
        _require_each_once(name, named, places)
    if done := _text(sorted(batch.left.intersection(result.done))):
        raise _wrong(name, f"says that {done} of {len(batch)} are done, but a table has left them, as the router ends")
    return result


def _require_kinds(name: str, result: BatchResult) -> None:
    failures: object = result.failures  # their types are said, but not everybody asks
    for each, value in (("done", result.done), ("left", result.left)):
        if not isinstance(value, Collection):
            raise _wrong(name, f"returned {_kind(value)} for {each}: BatchResult takes a list of places in the batch")
    if not isinstance(failures, Mapping):
        text = "BatchResult takes a mapping of failures, from place to error"
        raise _wrong(name, f"returned {_kind(failures)} for failures: {text}")
    for place, error in failures.items():
        if not isinstance(error, BaseException):
            raise _wrong(
                name, f"failed the place {described(place)} with {_kind(error)}: pass an instance of an exception"
            )


def _is_all(done: object, places: range) -> bool:
    """Whether *done* says by itself that it is all: others are looked into, as not every collection can be compared."""
    return isinstance(done, range) and done == places


def _require_each_once(name: str, named: Counter[int], places: range) -> None:
    begins = "must name each message once, by its place, in done, failures or left: of"
    if strange := _text(place for place in named if place not in places):
        raise _wrong(name, f"{begins} {len(places)} there is none at {strange}")
    if missing := _text(place for place in places if place not in named):
        raise _wrong(name, f"{begins} {len(places)} it leaves out {missing}")
    if twice := _text(place for place, count in named.items() if count > 1):
        raise _wrong(name, f"{begins} {len(places)} it names more than once {twice}")


def _wrong(name: str, what: str) -> HaltedError:
    """Return the error: of the program, as a wrong value that a handler returns is one, and no message's fault."""
    return HaltedError(f"batcher {name!r}: process_batch {what}")


def _text(places: Iterable[object]) -> str:
    """Return the first of *places* as text; of what is none only its kind, as it may be a whole message."""
    return ", ".join(map(described, islice(places, MAX_NAMED)))


def _kind(value: object) -> str:
    return "None" if value is None else described(value) if isinstance(value, type) else f"a {type(value).__name__}"
