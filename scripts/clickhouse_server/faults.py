"""What may become of one INSERT, and the names of what a developer or a test is most likely to want."""

import enum
from dataclasses import dataclass


class End(enum.Enum):
    """What the client hears."""

    ANSWER = enum.auto()
    """What the server said, or what the fault says instead."""
    RESET = enum.auto()
    """A reset connection."""
    HANG = enum.auto()
    """Nothing: the connection stays open."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What becomes of one INSERT.

    Args:
        is_passed_on: whether the server gets it, before anything else happens.
        end: what the client hears then.
        status, code, text: an answer instead of the server's: the HTTP status, ClickHouse's code if any, the body.
        delay: seconds before the server gets it.
    """

    is_passed_on: bool = False
    end: End = End.ANSWER
    status: int = 0
    code: int | None = None
    text: str = ""
    delay: float = 0.0


SLOW_SECONDS = 0.3
"""How long `slow` keeps an INSERT back: noticed, and within every deadline."""
TOO_MANY_PARTITIONS = (
    "Code: 252. DB::Exception: Too many partitions for single INSERT block (more than 100). (TOO_MANY_PARTS)"
)
TOO_MANY_PARTS = "Code: 252. DB::Exception: Too many parts (300), merges are slower than inserts. (TOO_MANY_PARTS)"
OVER_MEMORY = "Code: 241. DB::Exception: Memory limit (for query) exceeded: would use 1 GiB. (MEMORY_LIMIT_EXCEEDED)"
SHORT_OF_MEMORY = "Code: 241. DB::Exception: Memory limit (total) exceeded: would use 1 GiB. (MEMORY_LIMIT_EXCEEDED)"
NO_SPACE = "Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)"
NO_LOGIN = "Code: 516. DB::Exception: default: Authentication failed. (AUTHENTICATION_FAILED)"

NOTHING = Fault(is_passed_on=True)
RESET_BEFORE, RESET_AFTER = Fault(end=End.RESET), Fault(is_passed_on=True, end=End.RESET)
HANG_BEFORE, HANG_AFTER = Fault(end=End.HANG), Fault(is_passed_on=True, end=End.HANG)

FAULTS = {
    "none": NOTHING,
    "slow": Fault(is_passed_on=True, delay=SLOW_SECONDS),
    "reset-before": RESET_BEFORE,
    "reset-after": RESET_AFTER,
    "hang-before": HANG_BEFORE,
    "hang-after": HANG_AFTER,
    "413": Fault(status=413, text="too large"),
    "429": Fault(status=429, text="slow down"),
    "502": Fault(status=502, text="bad gateway"),
    "503": Fault(status=503, text="busy"),
    "504": Fault(status=504, text="gateway time-out"),
    "504-after": Fault(is_passed_on=True, status=504, text="gateway time-out"),
    "241-query": Fault(status=500, code=241, text=OVER_MEMORY),
    "241-server": Fault(status=500, code=241, text=SHORT_OF_MEMORY),
    "243": Fault(status=500, code=243, text=NO_SPACE),
    "243-after": Fault(is_passed_on=True, status=500, code=243, text=NO_SPACE),
    "252-partitions": Fault(status=500, code=252, text=TOO_MANY_PARTITIONS),
    "252-parts": Fault(status=500, code=252, text=TOO_MANY_PARTS),
    "516": Fault(status=403, code=516, text=NO_LOGIN),
}
"""By the name that `scripts/clickhouse faults` takes: the HTTP status or ClickHouse's code; with `-after` the rows are stored."""


def name_of(fault: Fault) -> str:
    """Return the name of *fault*, or what it is where it has none."""
    return next((name for name, each in FAULTS.items() if each == fault), repr(fault))
