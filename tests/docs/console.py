"""The ```console blocks of the pages, and a shell that runs them as a reader would: on a terminal, one command after the other.

    $ millstream query "SELECT 1"        a command; it goes on in the next line where it ends with a backslash
    1                                    what it shows, line by line
    …                                    any number of lines; inside a line, anything

Times of day, durations and rates of the moment are not compared.
"""

import fcntl
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import termios
import threading
from dataclasses import dataclass, field

from tests.guards.sources import ROOT

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = "$ "
ANY = "…"
LANGUAGES = {"console", "json", "mermaid", "python", "sql", "toml"}
"""Of all fenced blocks."""
OF_THE_MOMENT = (
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}",
    r"in [\d,]+\.\d s \([\d,]+ events/s\)",
    r"per_second=\d+",
    r"inserts[ =]\d+",
)
"""What another run shows otherwise."""
BAR = "━"
"""Of a progress display, which the pages leave out, with the empty line behind it."""
COLUMNS = 80
TIMEOUT = 120.0
"""Seconds for one command, on a busy machine."""
END = "\x1e"
"""Marks the end of what one command has written."""


@dataclass
class Step:
    """One command and the lines that the page shows of it."""

    command: str
    shown: list[str] = field(default_factory=list)


def pages():
    """Return the README and every page of docs/, by their path from the root."""
    files = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8") for file in files}


def blocks(page, language):
    """Return the fenced blocks of a page in *language*."""
    return [text for name, text in BLOCK.findall(page) if name == language]


def languages(page):
    """Return the languages of the fenced blocks of a page; a block that names none has an empty one."""
    return {name for name, _ in BLOCK.findall(page)}


def steps_of(page):
    """Return the commands of all console blocks of a page, in order."""
    steps = []
    for block in blocks(page, "console"):
        assert block.startswith(PROMPT), f"a console block begins with a command, not with {block.splitlines()[0]!r}"
        goes_on = False
        for line in block.splitlines():
            if goes_on:
                steps[-1].command += f"\n{line}"
            elif line.startswith(PROMPT):
                steps.append(Step(line.removeprefix(PROMPT)))
            else:
                steps[-1].shown.append(line)
            goes_on = line.endswith("\\")
    return steps


def pattern_of(line):
    """Return what a line of the page matches."""
    parts = re.split("|".join(f"({each})" for each in (*OF_THE_MOMENT, ANY)), line.rstrip())
    wild = dict(zip(range(1, len(OF_THE_MOMENT) + 2), (*OF_THE_MOMENT, ".*"), strict=True))
    width = len(wild) + 1
    return "".join(
        re.escape(part) if place % width == 0 else wild[place % width]
        for place, part in enumerate(parts)
        if part is not None
    )


def is_shown(shown, lines):
    """Whether the *lines* that a command wrote are those that the page shows; blanks at their ends do not count."""
    pattern = "".join(r"(?:.*\n)*" if line == ANY else f"{pattern_of(line)}\n" for line in shown)
    return re.fullmatch(pattern, "".join(f"{line.rstrip()}\n" for line in lines)) is not None


def without_bars(lines):
    """Return *lines* without progress displays."""
    kept = []
    is_behind = False
    for line in lines:
        is_bar = BAR in line
        if not is_bar and not (is_behind and not line.strip()):
            kept.append(line)
        is_behind = is_bar
    return kept


class Shell:
    """A bash whose commands write to a terminal of 80 columns; a context manager.

    Args:
        folder: where it begins.
        env: its environment.
    """

    def __init__(self, folder, env):
        self._folder = folder
        self._terminal, self._screen = pty.openpty()
        fcntl.ioctl(self._screen, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
        attributes = termios.tcgetattr(self._screen)
        attributes[1] &= ~termios.OPOST  # a line ends with \\n alone
        termios.tcsetattr(self._screen, termios.TCSANOW, attributes)
        self._lines = threading.Condition()
        self._text = ""
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=self._screen,
            stderr=self._screen,
            cwd=folder,
            env={**env, "TERM": "dumb", "COLUMNS": str(COLUMNS)},
            text=True,
            start_new_session=True,
        )
        os.close(self._screen)
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self._bash.pid, signal.SIGKILL)  # with what a page has left in the background
        self._bash.communicate()
        self._reader.join(TIMEOUT)
        os.close(self._terminal)

    def _read(self):
        while True:
            try:
                chunk = os.read(self._terminal, 65536)
            except OSError:  # nobody has the other end open any more
                chunk = b""
            with self._lines:
                self._text += chunk.decode(errors="replace") if chunk else END
                self._lines.notify_all()
            if not chunk:
                return

    def run(self, command):
        """Run *command* and return the lines that it wrote, and its exit code."""
        # From a file, so that what reads its input does not read the commands to come. `$?` is that of the command before.
        script = self._folder / ".command"
        script.write_text(f"{command}\n")
        again = f". {shlex.quote(str(script))} </dev/null"
        self._bash.stdin.write(f"(exit ${{code:-0}}); {again}; code=$?; printf '\\n%d{END}' $code\n")
        self._bash.stdin.flush()
        with self._lines:
            assert self._lines.wait_for(lambda: END in self._text, TIMEOUT), f"{command!r} takes too long: {self._text}"
            text, _, self._text = self._text.partition(END)
        written, _, code = text.rpartition("\n")
        return written.splitlines(), int(code)
