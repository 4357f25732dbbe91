"""How a worker is started: its name, its command line and its environment. Nothing is started here."""

import socket
from pathlib import Path

import pytest

from millstream.handlers.cli.options import GlobalOptions
from millstream.handlers.cli.run.worker_start import RunOptions, worker_names, worker_starter
from millstream.handlers.settings import load_settings
from millstream.router import ConfigurationError

SERVER = "http://user:hunter2@clickhouse:8123/events"


@pytest.fixture
def settings(tmp_path):
    """Return what makes settings with a store."""
    path = tmp_path / "settings.toml"
    path.write_text("")
    return lambda store: load_settings(path, {}, store=store)


def test_workers_are_called_after_the_instance_and_their_number():
    """A worker that comes back is the member that it was."""
    assert worker_names("pod-0", 3) == ["pod-0-1", "pod-0-2", "pod-0-3"]


def test_without_an_instance_they_are_called_after_the_host(monkeypatch):
    """Two hosts of a group are told apart; what no member can be called is replaced, with a hash behind it."""
    monkeypatch.setattr(socket, "gethostname", lambda: "web-1.example")
    legal = worker_names(None, 2)
    monkeypatch.setattr(socket, "gethostname", lambda: "Büro 1")
    (made_legal,) = worker_names(None, 1)

    assert legal == ["web-1.example-1", "web-1.example-2"]
    assert made_legal.startswith("B_ro_1-1-")


def test_an_instance_that_no_member_can_be_called_is_refused():
    """The line names the option."""
    with pytest.raises(ConfigurationError, match="--instance must be 1 to 249"):
        worker_names("pod 0", 2)


def test_the_instance_of_the_settings_is_used(settings, monkeypatch):
    """The option wins over it."""
    monkeypatch.setenv("MILLSTREAM_KAFKA__GROUP_INSTANCE_ID", "pod 0")

    with pytest.raises(ConfigurationError, match="pod 0"):
        worker_starter(load_settings(None, store=SERVER), RunOptions(GlobalOptions(), ()), None, 2)
    assert worker_starter(settings(SERVER), RunOptions(GlobalOptions(), ()), "pod-1", 2)


def test_a_worker_is_given_the_options_of_its_parent():
    """Those of every command, those of `run`, and which one it is."""
    given = GlobalOptions(config=Path("my.toml"), log_level="INFO", log_format="json")
    options = RunOptions(given, ("--brokers", "one:1", "--once"))

    assert options.arguments(2, "pod-0-2") == [
        *("--config", "my.toml", "--log-level", "INFO", "--log-format", "json"),
        *("run", "--worker", "2", "--instance", "pod-0-2", "--brokers", "one:1", "--once"),
    ]
    assert RunOptions(GlobalOptions(), ()).arguments(1, "a-1") == ["run", "--worker", "1", "--instance", "a-1"]


def test_the_password_of_a_store_is_not_in_the_list_of_processes(monkeypatch):
    """An address that was given as an option goes to a worker by its environment, where it wins as well."""
    monkeypatch.setenv("MILLSTREAM_CLICKHOUSE__DSN", "http://elsewhere:8123")
    options = RunOptions(GlobalOptions(store=SERVER), ())

    assert not any("hunter2" in word for word in options.arguments(1, "a-1"))
    assert options.environment["MILLSTREAM_CLICKHOUSE__DSN"] == SERVER
    assert RunOptions(GlobalOptions(), ()).environment["MILLSTREAM_CLICKHOUSE__DSN"] == "http://elsewhere:8123"


def test_an_embedded_store_takes_one_worker(settings):
    """Its folder belongs to one process; the line says what to do."""
    embedded, options = settings("chdb:///tmp/nowhere"), RunOptions(GlobalOptions(), ())

    with pytest.raises(ConfigurationError, match=r"--workers 2 needs a ClickHouse server.*clickhouse\.dsn"):
        worker_starter(embedded, options, "pod-0", 2)
    assert worker_starter(embedded, options, "pod-0", 1)
    assert worker_starter(settings(SERVER), options, "pod-0", 2)
