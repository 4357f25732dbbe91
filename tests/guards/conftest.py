"""What all guards look at, and the place of the guard that must run last."""

import pytest

from tests.guards.sources import Source, read_all


@pytest.fixture(scope="session")
def library() -> list[Source]:
    """Return the files of the three rooms and of `millstream/`."""
    return read_all("router", "middleware", "handlers", "millstream")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move what is marked `last` behind everything else."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)
