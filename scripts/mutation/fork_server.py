"""Runs of pytest, each in a fork of a process that has imported what all of them import: that takes longer than most tests.

This file is also the program of that process. Each line of its input is a request: the arguments of pytest and the file for what
it prints, as JSON. The answer is a line with the process number of the fork, and one with its exit code.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path


class ForkServer:
    """The process that forks; used by one thread at a time.

    Args:
        cwd: its folder.
        preload: the modules that it imports; none of the tree, which each run must read for itself.
    """

    def __init__(self, cwd: Path, environment: Mapping[str, str], preload: Sequence[str]) -> None:
        # -P: the folder of this file is not to be searched for modules.
        command = [sys.executable, "-P", __file__, *preload]
        self._process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def run(self, arguments: Sequence[str], output: Path, timeout: float) -> int | None:
        """Run pytest and return its exit code, or None where *timeout* seconds were not enough and it was killed."""
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None and answers is not None  # noqa: PT018 - both are pipes
        print(json.dumps({"arguments": list(arguments), "output": str(output)}), file=requests, flush=True)
        number = int(answers.readline())
        out_of_time = threading.Event()

        def kill() -> None:
            out_of_time.set()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(number, signal.SIGKILL)  # the whole session: a test may have started processes

        timer = threading.Timer(timeout, kill)
        timer.start()
        code = int(answers.readline())
        timer.cancel()
        return None if out_of_time.is_set() else code

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def serve() -> None:
    """Fork for each request until there are no more."""
    for name in ("pytest", *sys.argv[1:]):
        importlib.import_module(name)
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        number = os.fork()
        if number == 0:
            _run(request["arguments"], request["output"])
        print(number, flush=True)
        _, status = os.waitpid(number, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(arguments: list[str], output: str) -> None:
    """Be the process of one run of pytest, as if it had been started by itself."""
    import pytest

    os.setsid()
    nothing, written = os.open(os.devnull, os.O_RDONLY), os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream, descriptor in ((0, nothing), (1, written), (2, written)):
        os.dup2(descriptor, stream)
    sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115 - a descriptor
    sys.argv = ["pytest", *arguments]
    sys.exit(pytest.main(arguments))


if __name__ == "__main__":
    serve()
