"""A server whose port was taken by another program between its choice and its start."""

import importlib
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def module(monkeypatch):
    """What starts servers."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("clickhouse_server.server")


@pytest.fixture
def starts(tmp_path, monkeypatch, module):
    """A server that never gets as far as its engine, the port of each of its starts, and what the next ones fail with."""
    monkeypatch.setattr(module, "fetch_library", lambda: tmp_path)
    server = module.Server(tmp_path / "server")
    found = SimpleNamespace(ports=[], errors=[], url=lambda: server.url)

    def run(_, port):
        found.ports.append(port)
        if found.errors:
            raise found.errors.pop(0)

    monkeypatch.setattr(server, "_run", run)
    found.start = lambda port=None: server.start(port, None)
    return found


def test_another_is_chosen_when_one_was_taken_meanwhile(starts, module):
    """The folder remembers the one that it got."""
    starts.errors.append(module.PortTaken("it ended"))
    starts.start()

    assert len(set(starts.ports)) == 2
    assert starts.url() == f"http://127.0.0.1:{starts.ports[1]}"


def test_another_is_chosen_when_one_was_taken_before_the_engine_began(starts, module, monkeypatch):
    """That is looked at first, and no engine is started for it."""
    answers = [False, True]
    monkeypatch.setattr(module, "becomes_free", lambda _: answers.pop(0))
    starts.start()

    assert len(starts.ports) == 1


def test_not_for_ever(starts, module):
    """Where each choice is taken something else is wrong."""
    starts.errors += [module.PortTaken("it ended")] * 10
    with pytest.raises(module.PortTaken):
        starts.start()

    assert len(starts.ports) == module.PORT_TRIES


def test_another_error_is_told_at_once(starts, module):
    """No other port would mend it."""
    starts.errors.append(module.ServerError("the disk is full"))
    with pytest.raises(module.ServerError, match="disk"):
        starts.start()

    assert len(starts.ports) == 1


def test_a_port_that_somebody_waits_at_is_not_replaced(starts, module):
    """Neither one that was asked for nor that of the folder."""
    starts.start()
    starts.errors += [module.PortTaken("it ended")] * 2
    with pytest.raises(module.PortTaken):
        starts.start()
    with pytest.raises(module.PortTaken):
        starts.start(starts.ports[0])

    assert len(set(starts.ports)) == 1
    assert len(starts.ports) == 3


@pytest.mark.slow
def test_the_engine_says_that_its_port_is_taken(tmp_path, monkeypatch, module):
    """In the words that are looked for, whatever a look at the port has said before."""
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTS))  # as the script sets it for the engine's process
    monkeypatch.setattr(module, "becomes_free", lambda _: True)
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(module.PortTaken, match="ended during its start"),
    ):
        module.Server(tmp_path / "server").start(other.getsockname()[1], None)
