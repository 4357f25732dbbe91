"""Memory that the process of a command keeps."""

import os
import platform
import subprocess
import sys

import pytest

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
