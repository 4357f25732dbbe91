"""What all guards look at, when those run that look at all of it, and the place of the guard that must run last."""

import pytest

from tests.guards.sources import Source, read_all


@pytest.fixture(scope="session")
def library() -> list[Source]:
    """Return the files of the three rooms and of `millstream/`."""
    return read_all("router", "middleware", "handlers", "millstream")


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out the static ones
def pytest_itemcollected(item: pytest.Item) -> None:
    """Count whatever reads the whole library as static: that takes seconds, and says the same on every interpreter."""
    if "library" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.static)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move what is marked `last` behind everything else."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)
