#!/usr/bin/env bash
# After a request that failed urllib3 leaves the body of the request in a reference cycle.
#
# Seen with urllib3 2.8.0 on CPython 3.11, 3.12 and 3.13: 20 requests with a body of 1 MB each to a port where nobody listens leave
# 20 MB, though nobody keeps an error; with retries and without.
#
# The frame of urlopen refers to the error that it raises, and to those of the attempts before it by the history of its Retry; their
# tracebacks refer to that frame, which has the body. Only the cyclic garbage collector ends that, and it counts objects, not bytes: a
# program that makes few objects, or has raised gc's thresholds, grows by a body for each failure until its server is back. Whoever
# sends large bodies clears the frames of an error before the next attempt: traceback.clear_frames(error.__traceback__), and those of
# what led to it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check urllib3==2.8.0

"$folder/venv/bin/python" - <<'PYTHON'
import gc
import socket
import sys
import traceback
import tracemalloc

import urllib3

MB = 1_000_000
SEEN = {"retries=2": 20, "retries=2, frames cleared": 0, "retries=False": 20}

with socket.socket() as taken:  # bound and not listening: nobody answers at this port
    taken.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{taken.getsockname()[1]}/"

    def left(retries, *, clears):
        """Return the megabytes that stay after 20 requests."""
        pool = urllib3.PoolManager()
        gc.collect()
        gc.disable()
        tracemalloc.start()
        for _ in range(20):
            try:
                pool.request("POST", url, body=b"x" * MB, retries=retries)
            except urllib3.exceptions.HTTPError as error:
                while clears and error is not None:
                    traceback.clear_frames(error.__traceback__)
                    error = error.__context__
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        gc.enable()
        return size // MB

    found = {
        "retries=2": left(2, clears=False),
        "retries=2, frames cleared": left(2, clears=True),
        "retries=False": left(False, clears=False),
    }
for case, megabytes in found.items():
    print(f"  {case:28} {megabytes:3} MB stay   ({SEEN[case]} seen before)")
if found != SEEN:
    sys.exit("the behaviour has changed")
PYTHON
