"""Which runs of a race count, and who takes part."""

import os
from pathlib import Path

import pytest

from benchmarks.race import bento_program
from benchmarks.race.__main__ import chosen, find_bento, parse
from benchmarks.race.bento_way import FETCHED, batch_rows
from benchmarks.race.python_ways import RUN_BY_NAME
from benchmarks.race.running import check_rows
from benchmarks.race.topics import Topic
from benchmarks.race.versions import POM, kafka_version
from benchmarks.race.ways import WAYS, RaceError

RAW = WAYS[0]
TOPIC = Topic("events", events=100, bad=2)


def test_every_event_once_counts() -> None:
    """Expect a table without what is no event to pass."""
    check_rows(RAW, TOPIC, 98, 98)


def test_a_lost_row_does_not_count() -> None:
    """Expect it to be said even when another row is there twice, so that the number of rows is right."""
    with pytest.raises(RaceError, match="1 of 98 events are not in the table"):
        check_rows(RAW, TOPIC, 98, 97)


def test_a_doubled_row_does_not_count() -> None:
    """Expect it to be said."""
    with pytest.raises(RaceError, match="1 rows are in the table twice"):
        check_rows(RAW, TOPIC, 99, 98)


def test_all_ways_take_part_unless_some_are_named() -> None:
    """Expect the order of the rounds, whatever the order on the command line."""
    assert chosen(parse([])) == list(WAYS)
    assert [way.name for way in chosen(parse(["--ways", "product,raw"]))] == ["raw", "product"]


def test_into_chdb_alone_only_its_ways_take_part() -> None:
    """Expect no way that needs a server."""
    assert [way.name for way in chosen(parse(["--store", "chdb"]))] == ["chdb-raw", "chdb-product"]


@pytest.mark.parametrize("arguments", [["--ways", "raw,row"], ["--ways", "raw", "--store", "chdb"]])
def test_a_race_of_nobody_is_refused(arguments: list[str]) -> None:
    """Expect an unknown way, and a store that no way goes into, to be said."""
    with pytest.raises(RaceError):
        chosen(parse(arguments))


@pytest.mark.parametrize("option", ["--runs", "--events"])
def test_a_race_without_runs_or_events_is_refused(option: str) -> None:
    """Expect argparse's own way out."""
    with pytest.raises(SystemExit):
        parse([option, "0"])


def test_every_way_can_be_run() -> None:
    """Expect each to be known to the process that runs it; Bento is its own."""
    assert {way.name for way in WAYS} - {"bento"} == set(RUN_BY_NAME)


@pytest.mark.parametrize(("events", "rows"), [(1_000_000, 50_000), (200_000, 50_000), (100_000, 25_000), (4, 1)])
def test_batches_of_bento_come_out_even(events: int, rows: int) -> None:
    """Expect the same rows an INSERT as everybody has, and less only where a partition has less."""
    assert batch_rows(events) == rows


@pytest.mark.parametrize("events", [0, 3, 100_002, 300_000, 1_000_004])
def test_a_number_that_would_leave_bento_waiting_is_refused(events: int) -> None:
    """Expect no run that ends with a batch that is never full."""
    with pytest.raises(RaceError, match=r"multiple of 200,000, or of 4 below that"):
        batch_rows(events)


def test_without_go_the_race_goes_without_bento(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Expect one line about it, and all the others to take part."""
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path))
    ways = list(WAYS)
    program = find_bento(ways, 1_000_000)

    assert program is None
    assert [way.name for way in ways] == [way.name for way in WAYS if way.name != "bento"]
    assert capsys.readouterr().err == "without Bento: Go is not here to build it\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ('echo \'{"Path": "bento", "Error": "no such release"}\'; exit 1', "go mod said: no such release"),
        ("echo first >&2; echo 'go: last' >&2; exit 1", "go mod said: go: last"),
        ("exit 1", "go mod said: nothing"),
    ],
)
def test_bento_that_cannot_be_built_is_done_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str, reason: str
) -> None:
    """Expect what Go said, in one line."""
    program = tmp_path / "go"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path))

    assert find_bento(list(WAYS), 1_000_000) is None
    assert capsys.readouterr().err == f"without Bento: {reason}\n"


def test_bento_that_was_built_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Expect the program in the cache folder, without Go."""
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path))
    path = bento_program.program_path()
    path.parent.mkdir(parents=True)
    path.touch()

    assert find_bento(list(WAYS), 1_000_000) == path
    assert path.is_relative_to(tmp_path)


def test_the_first_fetch_is_recognized() -> None:
    """Expect the number of bytes, and nothing of other requests."""
    line = (
        'level=debug msg="read Fetch v13" @service=bento bytes_read=4194519 label="" path=root.input time_to_read=2ms'
    )
    found = FETCHED.search(line)

    assert found is not None
    assert int(found[1] or found[2]) == 4_194_519
    assert FETCHED.search(line.replace("Fetch", "OffsetFetch")) is None


def test_the_version_of_kafka_is_that_of_the_jars() -> None:
    """Expect what the POM of our own broker names."""
    assert kafka_version(POM).split(".")[0] == "4"
