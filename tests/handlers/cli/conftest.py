"""Mock brokers, and an embedded store, for the tests of the commands that use them."""

from tests.handlers.cli.embedded_place import place
from tests.router.kafka.mock_cluster_fixtures import mock_cluster

__all__ = ["mock_cluster", "place"]
