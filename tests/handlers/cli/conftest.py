"""Mock brokers for the tests of the commands that use them."""

from tests.router.kafka.mock_cluster_fixtures import mock_cluster

__all__ = ["mock_cluster"]
