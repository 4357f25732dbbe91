"""Memory that the process of a command keeps."""

import os
import platform
import subprocess
import sys

import pytest

from millstream.handlers.cli.allocator import SpareMemory

NEW_PAGES = """
import ctypes, resource
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: huge pages would be few
from millstream.handlers.cli.allocator import tune_allocator
def use(): return sum(len(each) for each in [bytearray(b"x") * (24 << 20) for _ in range(3)])
def pages(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
tune_allocator(), use()
before = pages()
for _ in range(10): use()
print(pages() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator of other C libraries is left alone")
@pytest.mark.parametrize("theirs", [{}, {"MALLOC_TRIM_THRESHOLD_": "1000000"}])
def test_memory_of_large_blocks_is_used_again(theirs: dict[str, str]) -> None:
    """Rather than given back to the system and asked for anew; what the user has set wins."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", NEW_PAGES], capture_output=True, text=True, check=True, timeout=60, env=environ | theirs
    )

    assert (int(done.stdout) > 10_000) == bool(theirs)


GIVEN_BACK = """
import os
from millstream.handlers.cli.allocator import give_back, tune_allocator
def resident(): return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
tune_allocator()
kept = [bytearray(b"x") * (1 << 20) for _ in range(64)]
last = bytearray(b"x") * 4096  # above them, so that the end of the heap is in use
del kept
before = resident()
give_back()
print(before - resident())
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator of other C libraries is left alone")
def test_memory_that_is_free_goes_back_when_it_is_told() -> None:
    """Though what is kept for the next batch otherwise stays."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", GIVEN_BACK], capture_output=True, text=True, check=True, timeout=60, env=environ
    )

    assert int(done.stdout) > 48 << 20


def test_spare_memory_goes_back_once_in_each_outage() -> None:
    """Not before intake has stopped, and again in the next one."""
    told = [0.0]
    given: list[float] = []
    spare = SpareMemory(lambda: given.append(told[-1]))
    for away in (0.0, 5.0, 9.9, 10.0, 40.0, 70.0, 0.0, 3.0, 33.0, 63.0):
        told.append(away)
        spare.note(away)

    assert given == [10.0, 33.0]
