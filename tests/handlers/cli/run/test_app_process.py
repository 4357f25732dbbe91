"""`millstream run app:router` as a process: signals, lines, exit codes and options are those of the lanes."""

import signal

import pytest

from tests.handlers.cli.command_aids import run
from tests.handlers.cli.run.service_process import ServiceProcess

pytestmark = pytest.mark.slow  # processes

HEAD = """\
import sys, threading
from millstream.handlers import load_settings
from millstream.router import HaltedError, InMemoryPubSub, Message, Router, RouterConfig

broker = InMemoryPubSub()
router = Router(RouterConfig(close_timeout={close_timeout}))

def say(text):
    print(text, file=sys.stderr, flush=True)

def publish():
    router.wait_running()
    broker.publish("orders", Message(b"order"))

threading.Thread(target=publish, daemon=True).start()
"""
BODY = """
router.add_consumer_handler("own", "orders", broker, lambda message: say(message.payload), poison="none")
"""
BLOCK = """
def handle(message):
    say(message.payload)
    threading.Event().wait()

router.add_consumer_handler("own", "orders", broker, handle, poison="none")
"""


def write(folder, body=BODY, close_timeout=10.0):
    """Write `app.py`, with a router of somebody's own that gets one message."""
    (folder / "app.py").write_text(HEAD.format(close_timeout=close_timeout) + body)


def test_a_router_of_ones_own_runs_until_a_signal(tmp_path):
    """Its handlers have their line each, how far it is comes by interval, and the end is clean."""
    write(tmp_path)
    with ServiceProcess(tmp_path, "app:router", "--interval", "0.1") as service:
        service.wait_for("handler started handler=own topic=orders")
        service.wait_for("running poisoned=0 pending=0", 2)
        service.wait_for("b'order'")
        code = service.end(signal.SIGINT)

    assert code == 0, service.lines
    assert service.said("closing on a signal signal=SIGINT")
    assert "ended poisoned=0 pending=0" in service.lines[-1]


def test_settings_of_its_own_are_those_that_the_command_was_given(tmp_path):
    """`load_settings()` in the module heeds --config and --store."""
    (tmp_path / "other.toml").write_text('[clickhouse]\ntable = "from_other"\n')
    write(tmp_path, BODY + "found = load_settings().clickhouse\nsay(f'{found.table} {found.address.redacted}')\n")
    with ServiceProcess(tmp_path, "app:router", "--config", "other.toml", "--store", "http://h:1/there") as service:
        (line,) = service.wait_for("from_other")
        service.wait_for("handler started")
        code = service.end()

    assert code == 0, service.lines
    assert "h:1/there" in line


def test_what_is_not_done_in_time_comes_again(tmp_path):
    """A handler that does not end makes it exit code 5."""
    write(tmp_path, BLOCK, close_timeout=0.2)
    with ServiceProcess(tmp_path, "app:router") as service:
        service.wait_for("b'order'")
        code = service.end()

    assert code == 5, service.lines
    assert service.lines[-1].startswith("millstream: ")


def test_a_second_signal_ends_it_at_once(tmp_path):
    """Whatever its handlers do."""
    write(tmp_path, BLOCK, close_timeout=60.0)
    with ServiceProcess(tmp_path, "app:router") as service:
        service.wait_for("b'order'")
        service.send(signal.SIGTERM)
        service.wait_for("closing on a signal")
        code = service.end()

    assert code == 128 + signal.SIGTERM, service.lines


def test_a_policy_that_halts_it_is_exit_code_4(tmp_path):
    """As of every command, with one line."""
    write(tmp_path, BODY.replace("say(message.payload)", "router.fail(HaltedError('enough'))"))
    with ServiceProcess(tmp_path, "app:router") as service:
        code = service.wait()

    assert code == 4, service.lines
    assert service.lines[-1] == "millstream: enough"


def test_a_bug_in_its_own_code_is_not_called_ours(tmp_path):
    """Exit code 1 with the traceback, which whoever wrote it needs, and their line."""
    write(tmp_path, BODY + "router.add_plugin(lambda router: 1 / 0)\n")
    with ServiceProcess(tmp_path, "app:router") as service:
        code = service.wait()

    assert code == 1, service.lines
    assert service.said("app:router failed in its own code (app.py, line 18: router.add_plugin(lambda router: 1 / 0))")
    assert service.said("ZeroDivisionError: division by zero")
    assert not service.said("bug in Millstream")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["nowhere:router"], "there is no module 'nowhere'", id="module"),
        pytest.param(["app:nowhere"], "module 'app' has no 'nowhere'", id="attribute"),
        pytest.param(["app:router"], "ZeroDivisionError: division by zero (app.py, line 16: 1 / 0)", id="import error"),
        pytest.param(["app:router", "--once"], "--once is for the lanes", id="option"),
    ],
)
def test_what_cannot_be_run_is_one_line_and_exit_code_2(tmp_path, arguments, told):
    """Whoever starts it reads no traceback."""
    write(tmp_path, "1 / 0" if "app:router" in arguments else BODY)
    done = run("run", *arguments, cwd=tmp_path)

    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("millstream: ")
    assert told in line
