"""Fixtures for tests on mock brokers.

    def test_something(mock_cluster: MockCluster) -> None:                 # inside this process
    def test_something(mock_cluster_process: MockClusterProcess) -> None:  # in its own, which can be frozen and killed

The first is ready in milliseconds, the second in a tenth of a second. Both have the same calls.
"""

from collections.abc import Iterator

import pytest

from tests.router.kafka.mock_cluster import MockCluster
from tests.router.kafka.mock_cluster_process import MockClusterProcess, running_process


@pytest.fixture
def mock_cluster() -> Iterator[MockCluster]:
    """Three mock brokers for one test, without topics."""
    cluster = MockCluster()
    yield cluster
    cluster.close()


@pytest.fixture
def mock_cluster_process() -> Iterator[MockClusterProcess]:
    """Three mock brokers in a process of their own for one test, without topics."""
    with running_process() as cluster:
        yield cluster
