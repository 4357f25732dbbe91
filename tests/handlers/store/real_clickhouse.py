"""A real ClickHouse server for tests: what `CLICKHOUSE_URL` names, or one of our own from `scripts/clickhouse`.

Databases get names that nobody else has, so tests share a server without meeting. Only our own has users and clusters for them.
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from millstream.handlers.store import Store, open_store
from millstream.router.testing import eventually
from tests.handlers.store.hostile_profile import hostile_profile

SCRIPT = Path(__file__).parents[3] / "scripts" / "clickhouse"
START_TIMEOUT = 400.0
"""Seconds for a start, the first one with its download included; less than what ends a run that hangs."""

USERS = (
    "default",
    "hostile",
    "locked",
    "locked_right",
    "read_only",
    "few_partitions",
    "little_memory",
    "reader",
    "writer",
)
"""Without passwords, each with the profile of its name; the last two have only the right to read, and to insert."""
DOWN = "down"
"""The cluster whose one shard never answers."""
TWO_SHARDS = "two_shards"
"""The cluster of two shards; both are this server."""

_CONFIG = """\
<clickhouse>
  <users_config>{users}</users_config>
  <remote_servers>
    <{down}><shard><replica><host>127.0.0.1</host><port>1</port></replica></shard></{down}>
    <{two_shards}>{here}{here}</{two_shards}>
  </remote_servers>
</clickhouse>
"""
# The port that the engine takes for its own: what goes there stays in the process.
_HERE = "<shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard>"
_USERS = """\
<clickhouse>
  <profiles>
    <default/>
    <hostile>{settings}</hostile>
    <locked><async_insert>1</async_insert><constraints><async_insert><readonly/></async_insert></constraints></locked>
    <locked_right><async_insert>0</async_insert><constraints><async_insert><readonly/></async_insert></constraints></locked_right>
    <read_only><readonly>1</readonly></read_only>
    <few_partitions><max_partitions_per_insert_block>7</max_partitions_per_insert_block></few_partitions>
    <little_memory><max_memory_usage>12000000</max_memory_usage></little_memory>
    <reader/>
    <writer/>
  </profiles>
  <users>{users}</users>
  <quotas><default/></quotas>
</clickhouse>
"""
_USER = """
    <{name}><password/><networks><ip>::/0</ip></networks><profile>{name}</profile><quota>default</quota>
      {rights}</{name}>"""
_ALL_RIGHTS = "<access_management>1</access_management>"
_RIGHTS = {
    "reader": "<grants><query>GRANT SELECT, SHOW ON *.*</query></grants>",
    "writer": "<grants><query>GRANT INSERT ON *.*</query></grants>",
}

_numbers = itertools.count(1)
_run = uuid.uuid4().hex[:8]


def run_script(command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `scripts/clickhouse` with *command* and wait for it."""
    environment = {**os.environ, "PYTHON": sys.executable}
    line = [str(SCRIPT), command, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, env=environment, check=False, timeout=START_TIMEOUT)


class RealClickHouse:
    """A server that is there."""

    def __init__(self, url: str) -> None:
        self.url = url
        """Its address, with a login where it needs one."""

    def address(self, user: str | None = None, database: str = "") -> str:
        """Return the store's address for *user*, who has no password; `None` is the login of the url."""
        scheme, _, rest = self.url.partition("://")
        login = "" if user is None else f"{user}@"
        return f"{scheme}://{login}{rest.rstrip('/')}/{database}"

    def open(self, user: str | None = None, **options: Any) -> Store:
        """Open the store as *user*; *options* are those of `open_store`."""
        return open_store(self.address(user), **options)

    def create_database(self) -> str:
        """Create a database with a name of its own and return that."""
        name = f"test_{_run}_{next(_numbers)}"
        with contextlib.closing(self.open()) as store:
            store.command(f"CREATE DATABASE {name}")
        return name

    def drop_database(self, name: str) -> None:
        """Drop it, with what is in it."""
        with contextlib.closing(self.open()) as store:
            store.command(f"DROP DATABASE {name} SYNC")


class OwnClickHouse(RealClickHouse):
    """A server of ours in *folder*, with `USERS`, and the clusters `down` and `two_shards`.

    It ends with this process, however that ends.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("")
        self.folder = folder
        self._door: str | None = None
        # Its input ends when this process does, even by SIGKILL; then it stops the server. A session of its own keeps it
        # out of a SIGKILL for the whole group.
        self._guard = subprocess.Popen(
            ["sh", "-c", 'cat; exec "$0" stop --folder "$1"', str(SCRIPT), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "PYTHON": sys.executable},
        )
        try:
            self._write_config({})
            self.start()
            # A profile may name only what this engine knows.
            known = {name for (name,) in self._ask("SELECT name FROM system.settings")}
            self._write_config(hostile_profile(known))
            self.stop()
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start it where it was, with its data and its port, and wait until it answers."""
        done = run_script("start", "--folder", self.folder, "--config", self.folder / "config.xml")
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        self.url = self._door or done.stdout.strip()

    def stand_behind(self, door: str) -> None:
        """Be reached by the address *door* from now on; the port of the server itself stays the same."""
        self.url = self._door = door

    def stop(self) -> None:
        """End it in an orderly way and wait for its end."""
        run_script("stop", "--folder", self.folder)

    @property
    def is_running(self) -> bool:
        """Whether its process is there, frozen or not."""
        return run_script("status", "--folder", self.folder).returncode == 0

    def kill(self) -> None:
        """End it with SIGKILL and wait for its end; `start` brings it back at the same address."""
        os.kill(self._pid, signal.SIGKILL)
        assert eventually(lambda: not self.is_running, START_TIMEOUT)

    def freeze(self) -> None:
        """Stop its process with SIGSTOP: connections stay open and nothing answers."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        os.kill(self._pid, signal.SIGCONT)

    def restore(self) -> None:
        """Bring it back to work, whatever a test did to it."""
        if self.is_running:
            self.thaw()
        else:
            self.start()

    @property
    def _pid(self) -> int:
        return int((self.folder / "server.pid").read_text())

    def close(self) -> None:
        """End it for good and remove its data; the log stays."""
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard.wait(START_TIMEOUT)
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(self.open()) as store:
            return store.query(statement).rows

    def _write_config(self, hostile: Mapping[str, object]) -> None:
        config, users = self.folder / "config.xml", self.folder / "users.xml"
        settings = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in hostile.items())
        named = "".join(_USER.format(name=name, rights=_RIGHTS.get(name, _ALL_RIGHTS)) for name in USERS)
        users.write_text(_USERS.format(settings=settings, users=named))
        config.write_text(_CONFIG.format(users=users, down=DOWN, two_shards=TWO_SHARDS, here=_HERE))
