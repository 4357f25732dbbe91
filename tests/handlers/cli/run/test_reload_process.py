"""`millstream run --reload`: a service that follows its files while somebody works on them."""

import os
import signal
import subprocess

import pytest

from millstream.router.testing import eventually
from tests.handlers.cli.command_aids import run
from tests.handlers.cli.run.service_process import ServiceProcess

pytestmark = pytest.mark.slow  # processes
APP = """\
import sys
from millstream.router import InMemoryPubSub, Router
from part import VERSION

router = Router()
router.add_consumer_handler("own", "orders", InMemoryPubSub(), print, poison="drop")
print("version", VERSION, file=sys.stderr, flush=True)
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with a router, and a module that it imports."""
    (tmp_path / "app.py").write_text(APP)
    write(tmp_path, "VERSION = 1")
    return tmp_path


def write(folder, text):
    """Write what the router imports."""
    (folder / "part.py").write_text(text + "\n")


def test_a_change_of_a_source_starts_it_again(folder):
    """It ends in order before, survives what cannot be imported, and a signal ends all of it, cleanly."""
    with ServiceProcess(folder, "app:router", "--reload") as service:
        service.wait_for("version 1")
        service.wait_for("handler started")
        write(folder, "VERSION = 22")
        service.wait_for("version 22")
        service.wait_for("handler started", 2)
        ended = service.said("ended poisoned=0")
        write(folder, "VERSION = ")
        (told,) = service.wait_for("SyntaxError")
        service.wait_for("ended by itself with code 2: waiting for a change")
        write(folder, "VERSION = 4444")
        service.wait_for("handler started", 3)
        code = service.end(signal.SIGINT)

    assert code == 0, service.lines
    assert len(ended) == 1, "the first one has not ended in order"
    assert "(part.py, line 1)" in told
    assert service.said("files changed, starting again")
    assert len(service.said("closing on a signal signal=SIGINT")) == 1


def test_the_process_does_not_outlive_its_parent(folder):
    """However that ends: nobody would know of it, and it would keep its partitions."""
    (folder / "app.py").write_text(APP + "import os\nprint('pid', os.getpid(), file=sys.stderr, flush=True)\n")
    with ServiceProcess(folder, "app:router", "--reload") as service:
        (line,) = service.wait_for("pid ")
        service.wait_for("handler started")
        service.end(signal.SIGKILL)

        assert eventually(lambda: has_ended(int(line.split()[1])), 20.0)


def has_ended(pid):
    """Tell whether a process has ended; one that nobody has waited for has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip().startswith("Z") or not state.strip()


def test_a_change_of_the_settings_starts_the_lanes_again(place):
    """With the new ones, and nothing is lost or stored twice on the way."""
    place.write(batch={"batch_size": 11})
    with place.service("--reload") as service:
        service.wait_for("batch_size=11")
        service.wait_for("partitions assigned")
        ids = place.publish_events(300)
        place.write(batch={"batch_size": 22})
        service.wait_for("batch_size=22")
        service.wait_for("handler started", 2)
        place.wait_committed(300)
        code = service.end()

    assert code == 0, service.lines
    assert place.ids() == sorted(ids)


def test_several_processes_are_not_reloaded(tmp_path):
    """One line, and exit code 2."""
    done = run("run", "app:router", "--reload", "--workers", "1", cwd=tmp_path)

    assert done.returncode == 2
    assert b"millstream: --reload is for development, with one process: leave --workers out" in done.stderr
