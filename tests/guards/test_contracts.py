"""The contracts of pyproject.toml on who may import whom: `lint-imports` keeps them; here they are seen to hold, and to break."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guards.sources import ROOT

pytestmark = pytest.mark.slow  # reads every file of the library twice

WRONG = {
    "router-middleware": ("router/delivery/hold.py", "import millstream.middleware.retry"),
    "inside-function": ("router/delivery/failure.py", "def f():\n    import millstream.handlers.store.dsn"),
    "core-memory": ("router/delivery/route.py", "import millstream.router.memory.pubsub"),
    "core-kafka": ("router/delivery/context.py", "import millstream.router.kafka.config"),
    "core-testing": ("router/delivery/parking.py", "import millstream.router.testing.manual_clock"),
    "ground-delivery": ("router/clock.py", "import millstream.router.delivery.message"),
    "delivery-protocols": ("router/delivery/offset_book.py", "import millstream.router.protocols"),
    "running-memory": ("router/running/chain.py", "import millstream.router.memory.config"),
    "memory-kafka": ("router/memory/pubsub.py", "import millstream.router.kafka.security"),
    "memory-poison": ("router/memory/config.py", "import millstream.router.poison.record"),
    "consuming-publishing": ("router/kafka/consuming/starts.py", "import millstream.router.kafka.publishing.errors"),
    "shared-consuming": ("router/kafka/security.py", "import millstream.router.kafka.consuming.errors"),
    "middleware-handlers": ("middleware/retry.py", "import millstream.handlers.events.event"),
    "middleware-kafka": ("middleware/throttle.py", "import millstream.router.kafka.log"),
    "batching-store": ("handlers/batching/config.py", "import millstream.handlers.store.dsn"),
    "batching-events": ("handlers/batching/buffer.py", "import millstream.handlers.events.event"),
    "events-settings": ("handlers/events/service.py", "import millstream.handlers.settings.sections"),
    "settings-lanes": ("handlers/settings/sources.py", "import millstream.handlers.lanes.parts"),
    "lanes-cli": ("handlers/lanes/adding.py", "import millstream.handlers.cli.gc_tuning"),
    "settings-cli": ("handlers/settings/values.py", "import millstream.handlers.cli.options"),
    "library-testing": ("handlers/events/event.py", "import millstream.router.testing.fake_worker"),
    "library-fakes": ("handlers/events/decode.py", "import millstream.handlers.testing"),
    "circle-behind-type-checking": (
        "router/errors.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import millstream.router.exit_codes",
    ),
}

CIRCLE = ("handlers/store/identifiers.py", "import millstream.handlers.store.table")


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Return what `lint-imports` says of the tree at *root*."""
    command = [
        sys.executable,
        "-c",
        "import sys; from importlinter.cli import lint_imports_command as c; c()",
        "--no-cache",
    ]
    environment = {"PYTHONPATH": str(root), "COLUMNS": "300", "PATH": ""}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """What is said of a copy of the tree with every wrong import in it."""
    root = tmp_path_factory.mktemp("contracts") / "copy"
    for folder in ("router", "middleware", "handlers", "millstream"):
        shutil.copytree(ROOT / folder, root / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    (root / "router" / "homeless.py").write_text('"""In no room."""\n', encoding="utf-8")
    for name, wrong in [*WRONG.values(), CIRCLE]:
        with (root / name).open("a", encoding="utf-8") as file:
            file.write(f"\n{wrong}\n")
    return lint(root)


def test_contracts_are_kept() -> None:
    """Expect the library to import as pyproject.toml says."""
    done = lint(ROOT)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("wrong", WRONG, ids=WRONG)
def test_a_wrong_import_breaks_a_contract(wrong: str, broken: subprocess.CompletedProcess[str]) -> None:
    """Expect each import in the wrong direction to be named, wherever in a file it stands."""
    name, text = WRONG[wrong]
    importer = "millstream." + name.removesuffix(".py").replace("/", ".")
    imported = text.split("import ")[-1]

    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert f"{importer} -> {imported}" in broken.stdout


def test_a_module_without_a_room_breaks_a_contract(broken: subprocess.CompletedProcess[str]) -> None:
    """Expect every module of the router to have its floor."""
    assert "homeless" in broken.stdout


def test_a_circle_inside_a_room_breaks_a_contract(broken: subprocess.CompletedProcess[str]) -> None:
    """Expect two files that name each other to be found, though no layer is crossed."""
    assert "No cycles are allowed in millstream.handlers.store." in broken.stdout
