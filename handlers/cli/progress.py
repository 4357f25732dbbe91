"""Showing how far a pipeline has come: a moving display on a terminal, else a line a second until the result."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from millstream.router import MONOTONIC
from millstream.router.worker_thread import WorkerThread

from .pipeline import Snapshot

LINE_SECONDS = 1.0
TERMINAL_SECONDS = 0.1
NEARLY = 0.99
"""Shown of anything that is not all."""


def status_line(snapshot: Snapshot) -> str:
    """Return the line for logs; the counts are of what is confirmed."""
    return f"stored {snapshot.stored} poisoned {snapshot.poisoned} inserts {snapshot.inserts}"


@contextlib.contextmanager
def progress(
    title: str,
    snapshot: Callable[[], Snapshot],
    done: Callable[[], float | None],
    line: Callable[[Snapshot], str] = status_line,
) -> Iterator[None]:
    """Show progress on stderr while the body runs. What it comes to, the command says itself: only a display is left with it.

    Args:
        title: what is going on.
        snapshot: how far it is.
        done: the part that is done, 0 to 1, or `None` when nobody knows.
        line: the words for a snapshot.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        with _every(LINE_SECONDS, lambda: click.echo(line(snapshot()), err=True)):
            yield
        return
    began = MONOTONIC.now()
    bar = Progress(*_columns(), console=console, transient=False)
    task = bar.add_task(title, total=1.0 if done() is not None else None, status="")

    def show() -> None:
        now = snapshot()
        rate = now.stored / max(MONOTONIC.now() - began, 1e-9)
        part = done() or 0.0
        # Rounded, the display would call everything done while the last events are on their way.
        bar.update(
            task, completed=part if part >= 1.0 else min(part, NEARLY), status=f"{line(now)}  {rate:,.0f} events/s"
        )

    with bar:
        try:
            with _every(TERMINAL_SECONDS, show):
                yield
        finally:
            show()


def _columns() -> list[ProgressColumn | str]:
    return [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[status]}"),
        TimeElapsedColumn(),
    ]


@contextlib.contextmanager
def _every(seconds: float, show: Callable[[], None]) -> Iterator[None]:
    """Call *show* every *seconds* on a thread while the body runs."""
    stopping = threading.Event()

    def loop() -> None:
        while not stopping.wait(seconds):
            show()

    thread = WorkerThread("millstream-progress", loop)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(MONOTONIC.now() + LINE_SECONDS)
