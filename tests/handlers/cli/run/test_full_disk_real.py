"""An embedded store whose disk is full, and freed again."""

import contextlib
import re

import pytest

from millstream.router.testing import eventually
from tests.handlers.cli.run.service_process import TIMEOUT, ServiceProcess

EVENTS = 3_000
STORED = re.compile(r"running stored=([1-9]\d*)")
SCRIPT = """\
mount -t tmpfs -o size=96m none "$0" && mkdir "$0/store" "$0/tmp" || exit 99
"$@" || exit $?
"$1" -m millstream query "SELECT count(), uniqExact(id) FROM events" --format tsv > rows
"""
"""A small file system that only this process and its children see; what is stored is asked for before it goes."""


class Disk:
    """The file system of a process, seen from outside."""

    def __init__(self, process, mounted):
        self._filler = f"/proc/{process.pid}/root{mounted}/filler"

    def fill(self):
        """Leave no room on it."""
        with open(self._filler, "wb", buffering=0) as file, contextlib.suppress(OSError):  # noqa: PTH123 - seen through /proc
            while True:
                file.write(bytes(64 * 1024))

    def free(self):
        """Make room."""
        with open(self._filler, "wb"):  # noqa: PTH123
            pass


@pytest.mark.parametrize("full", ["store", pytest.param("temporary folder", marks=pytest.mark.soak)])
def test_full_disk_is_waited_out(place, full):
    """Said as an outage; once there is room everything is stored once, and nothing is poisoned."""
    mounted = place.folder / "small"
    mounted.mkdir()
    folder = mounted / "store" if full == "store" else place.folder / "store"
    place.write(
        clickhouse={"dsn": f"chdb://{folder}"},
        event_processing={"rate_limit": 500},
        batch={"batch_size": 100, "max_batch_size": 500, "flush_interval": 0.3, "retry_interval": 0.2},
    )
    place.publish_events(EVENTS)
    temporary = {} if full == "store" else {"TMPDIR": str(mounted / "tmp")}
    inside = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT, str(mounted))
    with ServiceProcess(place.folder, "--once", "--interval", "0.2", inside=inside, **temporary) as service:
        assert eventually(lambda: any(STORED.search(line) for line in service.lines), TIMEOUT), service.lines
        disk = Disk(service.process, mounted)
        disk.fill()
        service.wait_for("store down")
        disk.free()
        code = service.wait()

    assert code == 0, service.lines
    assert (place.folder / "rows").read_text() == f"{EVENTS}\t{EVENTS}\n"
    assert len(service.said("store back")) >= 1
    assert place.kafka.end_offsets(place.dlq) == {0: 0}
