"""`millstream ingest` as a user runs it, in a process of its own, into an embedded store."""

import base64
import gzip
import stat
import subprocess

import pytest
import zstandard

from tests.handlers.cli.command_aids import (
    MISSING,
    command,
    environment,
    good_lines,
    make_payload,
    make_raw,
    poison_records,
    query,
    run,
    write_events,
)

pytestmark = pytest.mark.slow  # a process for each command, with a store to open

MEBIBYTE = 1024 * 1024

BAD_LINES = [
    pytest.param(b'{"id": "1", ', None, id="malformed JSON"),
    pytest.param(b"[1, 2]", None, id="an array"),
    pytest.param(b'"text"', None, id="a string"),
    pytest.param(make_raw(source=b'"\xff"'), "source", id="invalid UTF-8"),
    pytest.param(make_raw(properties=b'{"a": "\xff"}'), "properties", id="invalid UTF-8 inside properties"),
    *[
        pytest.param(make_payload(**{field: value}), field, id=f"{kind} {field}")
        for field in ("id", "tenant_id", "environment_id", "event_name")
        for kind, value in (("empty", ""), ("wrong-typed", 5), ("null", None))
    ],
    *[
        pytest.param(make_payload(**{field: MISSING}), field, id=f"missing {field}")
        for field in ("id", "tenant_id", "environment_id", "event_name", "timestamp")
    ],
    pytest.param(make_payload(external_customer_id=None, customer_id=""), "customer_id", id="no customer at all"),
    pytest.param(make_payload(timestamp="2026-11-23T10:00:00"), "timestamp", id="no zone"),
    pytest.param(make_payload(timestamp="2026-02-30T10:00:00Z"), "timestamp", id="impossible time"),
    pytest.param(make_payload(timestamp="1969-12-31T23:59:59Z"), "timestamp", id="before 1970"),
    pytest.param(make_payload(timestamp="2299-12-31T23:30:00-01:00"), "timestamp", id="after 2299 in UTC"),
    pytest.param(make_payload(properties=[1]), "properties", id="properties an array"),
    pytest.param(make_payload(properties="x"), "properties", id="properties a string"),
    pytest.param(make_raw(properties=b'{"a":' * 100_000 + b"1" + b"}" * 100_000), None, id="nested 100,000 deep"),
    pytest.param(make_raw(properties=b'{"a": NaN}'), "properties", id="NaN"),
    pytest.param(make_raw(id=rb'"\ud800"'), "id", id="lone surrogate"),
    pytest.param(make_raw(properties=rb'{"a": "\udc00"}'), "properties", id="lone surrogate inside properties"),
    pytest.param(make_payload(properties={"a": "x" * MEBIBYTE}), None, id="over 1 MiB"),
]


@pytest.fixture(scope="module")
def bad_ingest(tmp_path_factory):
    """One ingest of every bad line, each between two good ones: its folder, its outcome, and its records by line."""
    folder = tmp_path_factory.mktemp("bad")
    good = good_lines(len(BAD_LINES) + 1)
    lines = [good[0]]
    for case, after in zip(BAD_LINES, good[1:], strict=True):
        lines += [case.values[0], after]
    content = b"\n".join(lines) + b"\n \t\n\n"
    (folder / "events.ndjson").write_bytes(content)
    done = run("ingest", "events.ndjson", cwd=folder)
    records = {record["line"]: record for record in poison_records(folder / "events.ndjson.poison.ndjson")}
    return folder, content, done, records


@pytest.mark.parametrize(
    ("place", "line", "field"), [pytest.param(place, *case.values, id=case.id) for place, case in enumerate(BAD_LINES)]
)
def test_a_bad_line_is_set_aside_with_place_and_reason(bad_ingest, place, line, field):
    """The record says line number, byte offset, a reason that names the field, and the raw line."""
    _, content, _, records = bad_ingest
    record = records[2 * place + 2]
    raw = base64.b64decode(record["raw_base64"]) if "raw_base64" in record else record["raw"].encode()

    assert raw == line
    assert content[record["byte_offset"] :].startswith(line)
    assert ("raw_base64" in record) == (b"\xff" in line)
    if field is not None:
        assert record["reason"].startswith(f"{field}: ")


def test_all_good_lines_around_bad_ones_are_stored(bad_ingest):
    """Bad lines hurt nobody but themselves; the exit code says that something was set aside, the summary how much."""
    folder, _, done, records = bad_ingest
    last = done.stderr.decode().splitlines()[-1]

    assert done.returncode == 3
    assert len(records) == len(BAD_LINES)
    assert (
        query("SELECT count(), uniqExact(id) FROM events", cwd=folder) == f"{len(BAD_LINES) + 1}\t{len(BAD_LINES) + 1}"
    )
    assert f"stored {len(BAD_LINES) + 1} poisoned {len(BAD_LINES)} " in last
    assert " blank 2 " in last


def test_a_poison_file_is_private(bad_ingest):
    """Lines that were set aside may be confidential: only their owner reads them."""
    folder, *_ = bad_ingest

    assert stat.S_IMODE((folder / "events.ndjson.poison.ndjson").stat().st_mode) == 0o600


def test_there_is_never_a_traceback(bad_ingest):
    """Bad input ends in lines, not in a stack."""
    *_, done, _ = bad_ingest

    assert b"Traceback" not in done.stderr


def test_a_clean_run_leaves_no_poison_file_and_exits_0(tmp_path):
    """A poison file of an earlier run goes when the mended input is stored whole."""
    source, poison = tmp_path / "in.ndjson", tmp_path / "in.ndjson.poison.ndjson"
    source.write_bytes(b"not json\n")
    first = run("ingest", source, cwd=tmp_path)
    was_there = poison.exists()
    source.write_bytes(make_payload() + b"\n")
    second = run("ingest", source, cwd=tmp_path)

    assert (first.returncode, was_there) == (3, True)
    assert (second.returncode, poison.exists()) == (0, False)


def test_a_poison_file_is_replaced(tmp_path):
    """The file holds what this run set aside, not what an earlier one did."""
    source = tmp_path / "in.ndjson"
    for content in (b"one\ntwo\n", b"three\n"):
        source.write_bytes(content)
        run("ingest", source, "--poison", "set-aside.ndjson", cwd=tmp_path)

    assert [record["raw"] for record in poison_records(tmp_path / "set-aside.ndjson")] == ["three"]


def test_a_poison_file_never_overwrites_an_input(tmp_path):
    """Naming an input as the poison file is a mistake, caught before anything happens."""
    source = tmp_path / "in.ndjson"
    source.write_bytes(b"not json\n")
    done = run("ingest", source, "--poison", source, cwd=tmp_path)

    assert done.returncode == 2
    assert source.read_bytes() == b"not json\n"


def test_stdin_is_never_its_own_poison_file(tmp_path):
    """A file that is read through stdin is an input like any other."""
    source = tmp_path / "in.ndjson"
    source.write_bytes(b"not json\n")
    with source.open("rb") as stdin:
        done = subprocess.run(
            command("ingest", "-", "--poison", source),
            cwd=tmp_path,
            stdin=stdin,
            capture_output=True,
            env=environment(),
        )

    assert done.returncode == 2
    assert source.read_bytes() == b"not json\n"


def test_a_name_that_leaves_no_room_for_a_poison_file_is_no_hindrance(tmp_path):
    """A clean file needs none; a line that has nowhere to go ends the run with a reason, and the good ones are stored."""
    source = tmp_path / ("x" * 250)
    (tmp_path / "millstream.toml").write_text("[router]\nclose_timeout = 1.0\n")
    source.write_bytes(make_payload() + b"\n")
    clean = run("ingest", source, cwd=tmp_path)
    source.write_bytes(make_payload() + b"\nbad\n")
    bad = run("ingest", source, cwd=tmp_path)

    assert clean.returncode == 0
    assert bad.returncode == 2
    assert b"File name too long" in bad.stderr
    assert b"Traceback" not in bad.stderr
    assert query("SELECT count() FROM events FINAL", cwd=tmp_path) == "1"


def test_a_run_that_read_only_a_part_keeps_the_poison_file(tmp_path):
    """Records of lines that were not read this time are not stale."""
    poison = tmp_path / "in.ndjson.gz.poison.ndjson"
    poison.write_text("of an earlier run\n")
    (tmp_path / "in.ndjson.gz").write_bytes(gzip.compress(make_payload() + b"\nbad\n")[:-20])
    done = run("ingest", "in.ndjson.gz", cwd=tmp_path)

    assert done.returncode == 2
    assert poison.exists()


def test_a_poison_file_that_cannot_be_removed_is_named(tmp_path):
    """Everything is stored, so the run is clean; what is left of an earlier one is said."""
    (tmp_path / "in.ndjson").write_bytes(make_payload())
    done = run("ingest", "in.ndjson", "--poison", "/proc/self/comm", cwd=tmp_path)

    assert done.returncode == 0
    assert b"/proc/self/comm is not of this run and cannot be removed" in done.stderr


def test_numbers_in_properties_come_back_digit_for_digit(tmp_path):
    """Properties are kept as text: no number loses a digit."""
    properties = b'{"big": 123456789012345678901234567890, "exact": 0.1000000000000000055511151231257827}'
    (tmp_path / "in.ndjson").write_bytes(make_raw(properties=properties))
    done = run("ingest", "in.ndjson", cwd=tmp_path)

    assert done.returncode == 0
    assert query("SELECT properties FROM events", cwd=tmp_path).encode() == properties


def test_ingest_is_safe_to_repeat(tmp_path):
    """A second ingest replaces each event by itself."""
    write_events(tmp_path / "in.ndjson", 5000)
    codes = [run("ingest", "in.ndjson", cwd=tmp_path).returncode for _ in range(2)]

    assert codes == [0, 0]
    assert query("SELECT count() FROM events FINAL", cwd=tmp_path) == "5000"


def test_billing_rows_are_added_once(tmp_path):
    """With `[billing]` every event brings one more row, and a second ingest none; equal ids of two tenants bring two."""
    lines = [make_payload(id="same", tenant_id=tenant) for tenant in ("a", "b")]
    (tmp_path / "in.ndjson").write_bytes(b"\n".join(lines))
    (tmp_path / "millstream.toml").write_text('[billing]\ntenant_id = "bill"\nenvironment_id = "prod"\n')
    for _ in range(2):
        assert run("ingest", "in.ndjson", cwd=tmp_path).returncode == 0
    found = query("SELECT tenant_id, count() FROM events FINAL GROUP BY 1 ORDER BY 1", cwd=tmp_path)

    assert found == "a\t1\nb\t1\nbill\t2"


@pytest.mark.parametrize("compress", [pytest.param(bytes, id="plain"), pytest.param(gzip.compress, id="gzip")])
def test_stdin_is_an_input(tmp_path, compress):
    """`-` reads stdin, compressed or not, and sets aside into the current folder."""
    done = run("ingest", "-", cwd=tmp_path, stdin=compress(make_payload() + b"\nbad\n"))

    assert done.returncode == 3
    assert [record["raw"] for record in poison_records(tmp_path / "stdin.poison.ndjson")] == ["bad"]


def test_a_file_that_ends_early_is_stored_as_far_as_it_goes(tmp_path):
    """What was read is stored, the line says how much, and the exit code is 2."""
    write_events(tmp_path / "plain.ndjson", 20_000)
    whole = gzip.compress((tmp_path / "plain.ndjson").read_bytes())
    (tmp_path / "cut.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    done = run("ingest", "cut.ndjson.gz", cwd=tmp_path)
    stored = int(query("SELECT count() FROM events", cwd=tmp_path))

    assert done.returncode == 2
    assert 0 < stored < 20_000
    assert f"ends early: the compressed data is cut off; read up to line {stored}" in done.stderr.decode()


def test_a_file_that_is_all_wrong_is_set_aside_to_its_last_line(tmp_path):
    """A file has an end, and whoever wants a limit names one: no storm of bad lines halts it."""
    (tmp_path / "in.ndjson").write_bytes(b"bad\n" * 3000)
    done = run("ingest", "in.ndjson", cwd=tmp_path)

    assert done.returncode == 3, done.stderr
    assert len(poison_records(tmp_path / "in.ndjson.poison.ndjson")) == 3000


def test_more_refused_lines_than_allowed_halt(tmp_path):
    """`--max-poison` stops a file that is all wrong, with exit code 4."""
    (tmp_path / "in.ndjson").write_bytes(b"bad\n" * 50_000)
    done = run("ingest", "in.ndjson", "--max-poison", "5", cwd=tmp_path)

    assert done.returncode == 4
    assert b"more than --max-poison 5" in done.stderr


def test_a_store_in_use_names_its_process(tmp_path):
    """A second process gets one line with the number of the first, and stores nothing."""
    (tmp_path / "in.ndjson").write_bytes(make_payload())
    first = subprocess.Popen(
        command("ingest", "-"), cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    try:
        assert first.stderr.readline().startswith(b"stored 0")  # it runs, so it has the folder
        second = run("ingest", "in.ndjson", cwd=tmp_path)
    finally:
        first.communicate(b"")

    assert second.returncode == 2
    assert f"in use by process {first.pid}" in second.stderr.decode()
    assert first.returncode == 0


def test_the_result_without_a_terminal_is_one_plain_line(tmp_path):
    """Where stderr is no terminal the counts come as a line that a script can read, the last one."""
    write_events(tmp_path / "in.ndjson", 1000)
    done = run("ingest", "in.ndjson", cwd=tmp_path)
    summary = done.stderr.decode().splitlines()[-1]

    assert summary.startswith("stored 1000 poisoned 0 inserts ")
    assert done.stdout == b""


def test_several_inputs_have_poison_files_of_their_own(tmp_path):
    """Each record lies beside its input."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.ndjson").write_bytes(make_payload(id=name) + f"\nbad {name}\n".encode())
    run("ingest", "a.ndjson", "b.ndjson", cwd=tmp_path)

    for name in ("a", "b"):
        assert [r["raw"] for r in poison_records(tmp_path / f"{name}.ndjson.poison.ndjson")] == [f"bad {name}"]


def test_times_do_not_depend_on_the_zone_of_the_machine(tmp_path):
    """The same instants and days come back under another zone."""
    (tmp_path / "in.ndjson").write_bytes(make_payload(timestamp="2026-11-23T23:30:00-05:00"))
    done = run("ingest", "in.ndjson", cwd=tmp_path, TZ="America/New_York")
    found = query("SELECT toString(timestamp), toYYYYMMDD(timestamp) FROM events", cwd=tmp_path)

    assert done.returncode == 0
    assert found == "2026-11-24 04:30:00.000\t20261124"


def test_a_record_is_json_with_the_four_fields(bad_ingest):
    """Every line of the poison file is an object with exactly line, byte offset, reason and raw."""
    *_, records = bad_ingest

    for record in records.values():
        assert set(record) in (
            {"line", "byte_offset", "reason", "raw"},
            {"line", "byte_offset", "reason", "raw_base64"},
        )
        assert record["reason"]


def test_the_full_disk_stops_nothing_but_intake(tmp_path):
    """A poison file that cannot be written keeps its lines unsettled; the good ones are stored, and the run says so."""
    (tmp_path / "in.ndjson").write_bytes(make_payload() + b"\nbad\n")
    (tmp_path / "millstream.toml").write_text("[router]\nclose_timeout = 1.0\n")
    process = subprocess.Popen(
        command("ingest", "in.ndjson", "--poison", "/dev/full"), cwd=tmp_path, stderr=subprocess.PIPE, env=environment()
    )
    while not process.stderr.readline().startswith(b"stored 1 poisoned 0"):
        assert process.poll() is None
    process.terminate()
    _, err = process.communicate(timeout=60)

    assert process.returncode == 5
    assert "poison-" in err.decode()


def test_a_gzip_file_that_is_padded_is_stored_whole(tmp_path):
    """Zeros up to the end of a block are no fault, also behind a last line without a line feed."""
    (tmp_path / "in.ndjson.gz").write_bytes(gzip.compress(b"\n".join(good_lines(5))) + bytes(3))
    done = run("ingest", "in.ndjson.gz", cwd=tmp_path)

    assert done.returncode == 0
    assert done.stderr.startswith(b"stored 5 poisoned 0 ")


def test_bytes_behind_the_compressed_data_are_told_and_the_rest_is_stored(tmp_path):
    """What gzip leaves out is left out with a warning and exit code 2, files behind it are read, and no poison file is stale."""
    whole = gzip.compress(b"\n".join(good_lines(5)))
    (tmp_path / "in.ndjson.gz").write_bytes(whole + b"garbage")
    (tmp_path / "in.ndjson.gz.poison.ndjson").write_bytes(b"{}\n")
    (tmp_path / "more.ndjson").write_bytes(make_payload(id="more") + b"\n")
    done = run("ingest", "in.ndjson.gz", "more.ndjson", cwd=tmp_path)
    summary, warning = done.stderr.decode().splitlines()[-2:]

    assert done.returncode == 2
    assert summary.startswith("stored 6 poisoned 0 ")
    assert warning.startswith("millstream: in.ndjson.gz: what follows the compressed data, ")
    assert f" from byte {len(whole)} on, " in warning
    assert (tmp_path / "in.ndjson.gz.poison.ndjson").exists()


def test_a_stream_that_begins_with_a_skippable_frame_is_stored(tmp_path):
    """zstd on stdin reads as it does from a file, whatever its first frame."""
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00more"
    content = skippable + zstandard.compress(b"\n".join(good_lines(5)))
    done = run("ingest", "-", cwd=tmp_path, stdin=content)

    assert done.returncode == 0
    assert done.stderr.startswith(b"stored 5 poisoned 0 ")


def test_a_local_year_2300_is_stored_on_the_last_day_of_2299(tmp_path):
    """The point in time counts, whatever year its text names."""
    (tmp_path / "in.ndjson").write_bytes(make_payload(timestamp="2300-01-01T05:29:59.999+05:30"))
    done = run("ingest", "in.ndjson", cwd=tmp_path)

    assert done.returncode == 0
    assert query("SELECT timestamp, _partition_id FROM events", cwd=tmp_path) == "2299-12-31 23:59:59.999\t22991231"
