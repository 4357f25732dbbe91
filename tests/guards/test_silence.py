"""A library that is imported and run prints and logs nothing until its user says so."""

import ast
import subprocess
import sys

import pytest

from tests.guards.sources import Source

# A fresh process, because the tests of this one have long imported everything. The sink sees all that loguru lets through.
RUN_A_ROUTER = """
import pkgutil, importlib, threading
from loguru import logger
seen = []
logger.remove()
logger.add(seen.append, level=0)
import millstream
for module in pkgutil.walk_packages(millstream.__path__, "millstream."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
{prelude}
from millstream.router import InMemoryPubSub, Message, Router
pubsub, router, handled = InMemoryPubSub(), Router(), threading.Event()
router.add_consumer_handler("one", "topic", pubsub, lambda message: handled.set())
router.start()
router.wait_running(10)
pubsub.publish("topic", Message(b"payload"))
handled.wait(10) or exit("nothing was handled")
router.close()
print(len(seen))
"""


def find_log_configuration(source: Source) -> list[str]:
    """Return where *source* changes what loguru does for the whole process."""
    calls = [node for node in source.nodes if isinstance(node, ast.Call)]
    names = {"logger.add", "logger.remove", "logger.configure", "logger.enable"}
    return [f"{source.name}:{each.lineno}" for each in calls if ast.unparse(each.func) in names]


def run(prelude: str) -> subprocess.CompletedProcess[str]:
    """Import every module, run *prelude*, then one message through a router."""
    command = [sys.executable, "-c", RUN_A_ROUTER.format(prelude=prelude)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.slow
def test_importing_and_running_logs_nothing() -> None:
    """Expect no log record and nothing on stderr from importing every module and running a router."""
    done = run("")

    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


@pytest.mark.slow
def test_enabled_logging_is_seen() -> None:
    """Expect the same run to log once the user has enabled it; otherwise the guard above would prove nothing."""
    done = run("logger.enable('millstream')")

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


def test_only_what_a_program_asks_for_configures_logging(library: list[Source]) -> None:
    """Expect nothing but the module of `log_to_stderr` to add a sink or to enable the library's records."""
    others = [source for source in library if source.name != "handlers/log_output.py"]
    found = [fault for source in others for fault in find_log_configuration(source)]

    assert found == []


@pytest.mark.parametrize("call", ["logger.add(print)", "logger.remove()", "logger.configure()", "logger.enable('x')"])
def test_log_configuration_is_found(call: str) -> None:
    """Expect the finder to name the line of each call that is the user's to make."""
    found = find_log_configuration(Source.of("router/delivery/hold.py", f"def f():\n    {call}"))

    assert found == ["router/delivery/hold.py:2"]
