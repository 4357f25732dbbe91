"""A broker whose ports were taken by another program between their choice and its start."""

import importlib
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
PLAIN = "PLAINTEXT"


@pytest.fixture
def starts(tmp_path, monkeypatch):
    """A broker that never gets as far as Java, the ports of each of its starts, and what the next ones fail with."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    module = importlib.import_module("kafka_broker.broker")
    monkeypatch.setattr(module, "require_java", lambda: None)
    monkeypatch.setattr(module, "fetch_jars", lambda: tmp_path)
    broker = module.Broker(tmp_path / "broker", java_option="")
    found = SimpleNamespace(ports=[], words=[], error=module.BrokerError, tries=module.PORT_TRIES)

    def start_at(chosen, _):
        found.ports.append(chosen)
        broker._write_ports(chosen)
        if found.words:
            broker.log.write_text(found.words.pop(0))
            raise found.error("the broker ended during its start")

    monkeypatch.setattr(broker, "_start_at", start_at)
    found.start = lambda port=None: broker.start(module.Security(), port)
    found.addresses = broker.addresses
    return found


TAKEN = "ERROR java.net.BindException: Address already in use\n"


def test_others_are_chosen_when_one_was_taken_meanwhile(starts):
    """The second start has ports of its own, and the folder remembers these."""
    starts.words.append(TAKEN)
    starts.start()

    assert len(starts.ports) == 2
    assert not set(starts.ports[0].values()) & set(starts.ports[1].values())
    assert starts.addresses() == {PLAIN: f"127.0.0.1:{starts.ports[1][PLAIN]}"}


def test_not_for_ever(starts):
    """Where each choice is taken something else is wrong."""
    starts.words += [TAKEN] * 10
    with pytest.raises(starts.error):
        starts.start()

    assert len(starts.ports) == starts.tries


def test_another_error_is_told_at_once(starts):
    """No other port would mend it."""
    starts.words.append("ERROR the disk is full\n")
    with pytest.raises(starts.error):
        starts.start()

    assert len(starts.ports) == 1


def test_a_port_that_was_asked_for_is_not_replaced(starts):
    """Somebody waits there for the broker."""
    starts.words.append(TAKEN)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(starts.error):
        starts.start(port)

    assert [each[PLAIN] for each in starts.ports] == [port]
