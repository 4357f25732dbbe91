"""`millstream doctor` where there is nothing: no settings, no brokers, no store."""

from pathlib import Path

import pytest

from tests.handlers.cli.main_in_process import run_main


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what this process has been told out of it."""
    for name in ("MILLSTREAM_KAFKA__BROKERS", "MILLSTREAM_CLICKHOUSE__DSN", "MILLSTREAM_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def test_a_fresh_folder_is_no_failure_and_stays_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Expect what is there, what is not, and that nothing is made."""
    code = run_main("doctor", folder=tmp_path)
    lines = capsys.readouterr().out.splitlines()

    assert code == 0
    assert [line.split(":")[0] for line in lines] == ["ok   versions", "warn brokers", "warn store chdb"]
    assert list(tmp_path.iterdir()) == []


def test_a_probe_from_nowhere_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Expect who asked for one to hear that there is none."""
    code = run_main("doctor", "--probe", folder=tmp_path)

    assert code == 2
    assert "FAIL probe: needs a ClickHouse server" in capsys.readouterr().out


def test_wrong_settings_are_told_before_anything_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Expect one line on stderr, and exit code 2."""
    (tmp_path / "millstream.toml").write_text("[kafka]\nbrokers = 7\n")
    code = run_main("doctor", folder=tmp_path)
    out, err = capsys.readouterr()

    assert (code, out) == (2, "")
    assert "kafka.brokers" in err
