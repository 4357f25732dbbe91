"""`millstream` whose wall clock jumps by an hour, forwards and back, each time that anybody looks at it.

python -m tests.handlers.cli.run.jumping_clock run …
"""

import itertools
import sys
import time

HOUR = 3600.0

_jumps = itertools.cycle([HOUR, -HOUR])
_real_time, _real_time_ns = time.time, time.time_ns  # noqa: TID251 - what jumps

# Before anything else is imported: whoever takes the function for itself has this one.
time.time = lambda: _real_time() + next(_jumps)  # noqa: TID251
time.time_ns = lambda: _real_time_ns() + int(next(_jumps)) * 10**9

if __name__ == "__main__":
    from millstream.handlers.cli.main import main

    sys.exit(main(sys.argv[1:]))
