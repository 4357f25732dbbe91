"""The processes of a group: let in, sent away in order, or killed."""

import json
import select
import subprocess
import sys
import time

from millstream.router.testing import eventually

LEAVE_SECONDS = 60.0
"""For an orderly end, its start included, on a busy machine; a revoke inside takes up to ten."""


class Group:
    """The members, each in a process of its own; *options* are those of its subscriber."""

    def __init__(self, kafka, topic, folder, options):
        self._folder = folder / "ledger"
        self._folder.mkdir()
        self._command = [sys.executable, "-m", "tests.router.kafka.chaos.member", kafka.bootstrap_servers, topic]
        self._command += [str(self._folder), json.dumps({"commit_interval": 0.2, **options})]
        self._complaints = folder / "stderr"
        self._errors = self._complaints.open("w")
        self.members = []
        self.left = []
        """The process numbers of those that left in order."""
        self.kills = self.joins = 0

    def join(self):
        """Let one more take part."""
        self.joins += 1
        self.members.append(subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=self._errors, text=True))

    def leave(self, *members):
        """End *members* in order and side by side, each once it has its signal handlers."""
        ends_at = time.monotonic() + LEAVE_SECONDS
        for member in members:
            is_said, _, _ = select.select([member.stdout], [], [], max(0.0, ends_at - time.monotonic()))
            assert is_said, f"not ready: {self.complaints()}"
            assert member.stdout.readline() == "ready\n", self.complaints()
            member.terminate()
        for member in members:
            eventually(lambda member=member: member.poll() is not None, max(0.0, ends_at - time.monotonic()))
            assert member.returncode == 0, self.complaints()
            self._forget(member)
            self.left.append(member.pid)

    def kill(self, member):
        """End *member* with SIGKILL."""
        member.kill()
        member.wait()
        self._forget(member)
        self.kills += 1

    def _forget(self, member):
        member.stdout.close()
        self.members.remove(member)

    @property
    def have_messages(self):
        """How many members have been given messages so far."""
        return sum(file.stat().st_size > 0 for file in self._folder.iterdir())

    def require_alive(self):
        """Raise when a member ended by itself."""
        assert all(member.poll() is None for member in self.members), self.complaints()

    def texts(self):
        """Return what each member wrote of what it did, by its process number."""
        return {int(file.name): file.read_text() for file in self._folder.iterdir()}

    def complaints(self):
        """Return the end of what members wrote on stderr."""
        return self._complaints.read_text()[-2000:]

    def close(self):
        """End whoever is left, the hard way."""
        for member in list(self.members):
            self.kill(member)
        self._errors.close()
