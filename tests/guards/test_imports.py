"""Imports point one way, and each driver is known in one place."""

import ast
import sys

import pytest

from tests.guards.imports import ROOMS, find_bare_rooms, find_imports, is_in, resolve
from tests.guards.sources import Source

# Rooms within a room: named absolutely by each other, as rooms are.
SUB_ROOMS = tuple(
    f"millstream.handlers.{name}" for name in ("batching", "store", "events", "settings", "lanes", "cli", "testing")
)

# The only places that may import a driver.
DRIVERS = {"confluent_kafka": "router/kafka/", "clickhouse_connect": "handlers/store/", "chdb": "handlers/"}


def find_facade_imports(source: Source, modules: set[str]) -> list[str]:
    """Return where *source* asks a room that it is in: an `__init__` re-exports from below."""
    own = source.module
    return [
        f"{source.name}:{line} imports {module}"
        for line, module in find_imports(source, modules)
        if own != module != "millstream" and is_in(own, module) and not (source.is_package and is_in(module, own))
    ]


def room_of(module: str) -> str | None:
    """Return the room, or the room within a room, that *module* lies in."""
    return next((each for each in (*SUB_ROOMS, *ROOMS) if is_in(module, each)), None)


def find_wrong_forms(source: Source) -> list[str]:
    """Return the imports of *source* that are absolute within its room, or relative across rooms."""
    room = room_of(source.module)
    wrong = []
    for node in source.nodes:
        if room and isinstance(node, ast.ImportFrom):
            is_own = is_in(resolve(source, node), room)
            if is_own != bool(node.level):
                wrong.append(f"{source.name}:{node.lineno}")
    return wrong


def find_driver_imports(source: Source, driver: str) -> list[str]:
    """Return where *source* imports *driver* or a part of it."""
    return [f"{source.name}:{line}" for line, module in find_imports(source) if is_in(module, driver)]


def test_no_module_asks_the_package_that_it_is_in(library: list[Source]) -> None:
    """Expect nobody to import from an `__init__` above him, which imports him. Who may know whom else: see test_contracts.py."""
    modules = {source.module for source in library}
    wrong = [fault for source in library for fault in find_facade_imports(source, modules)]

    assert wrong == []


def test_imports_are_relative_within_a_room_and_absolute_across(library: list[Source]) -> None:
    """Expect a room to be named only by those outside it."""
    wrong = [fault for source in library for fault in find_wrong_forms(source)]

    assert wrong == []


def test_drivers_are_imported_in_their_place_only(library: list[Source]) -> None:
    """Expect each driver to stay behind its folder, and clickhouse-connect in one file."""
    wrong = [
        fault
        for driver, place in DRIVERS.items()
        for source in library
        if not source.name.startswith(place)
        for fault in find_driver_imports(source, driver)
    ]
    clickhouse = [source.name for source in library if find_driver_imports(source, "clickhouse_connect")]

    assert wrong == []
    assert len(clickhouse) <= 1, clickhouse


@pytest.mark.last
def test_no_room_is_imported_twice() -> None:
    """Expect that nothing in the whole run imported a room by its bare name, which would double its classes.

    With workers side by side this is one worker's run; `last_look` asks all of them.
    """
    doubled = find_bare_rooms(sys.modules)

    assert doubled == []


@pytest.mark.parametrize("name", ["router", "middleware.retry", "handlers.events.event"])
def test_a_bare_room_is_found(name: str) -> None:
    """Expect the finder to name a room's second copy among the imported modules, and no module of the right name."""
    found = find_bare_rooms(["millstream", f"millstream.{name}", name, "routers"])

    assert found == [name]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("router/delivery/hold.py", "from .. import Message", id="facade-of-the-router"),
        pytest.param("router/delivery/hold.py", "from . import Message", id="own-facade"),
        pytest.param("handlers/events/event.py", "def f():\n    import millstream.handlers", id="inside-function"),
    ],
)
def test_an_import_of_the_own_package_is_found(name: str, text: str) -> None:
    """Expect the finder to report exactly one fault."""
    found = find_facade_imports(Source.of(name, text), {"millstream.router.delivery.message"})

    assert len(found) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("router/memory/pubsub.py", "from ..delivery.message import Message", id="memory-core"),
        pytest.param("router/__init__.py", "from .memory import InMemoryPubSub", id="facade-memory"),
        pytest.param("router/delivery/hold.py", "from . import message", id="module-beside"),
        pytest.param("handlers/events/service.py", "from millstream.router import Message", id="events-router"),
        pytest.param("handlers/cli/demo.py", "from ..events import Event\nimport json", id="cli-events"),
    ],
)
def test_an_import_of_a_module_passes(name: str, text: str) -> None:
    """Expect the finder to report nothing."""
    found = find_facade_imports(Source.of(name, text), {"millstream.router.delivery.message"})

    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "from millstream.router.delivery.message import Message",
        "from ...middleware import Retry",
        "from ....x import y",
    ],
)
def test_an_import_of_the_wrong_form_is_found(text: str) -> None:
    """Expect the finder to name the line of an absolute import within a room and of a relative one across rooms."""
    found = find_wrong_forms(Source.of("router/memory/pubsub.py", text))

    assert found == ["router/memory/pubsub.py:1"]


@pytest.mark.parametrize(
    "text",
    ["import clickhouse_connect", "from clickhouse_connect.driver import x", "import_module('clickhouse_connect')"],
)
def test_a_driver_import_is_found(text: str) -> None:
    """Expect the finder to see every form of import, and no name that only begins alike."""
    found = find_driver_imports(Source.of("middleware/retry.py", text), "clickhouse_connect")
    other = find_driver_imports(Source.of("middleware/retry.py", "import clickhouse_connector"), "clickhouse_connect")

    assert found == ["middleware/retry.py:1"]
    assert other == []
