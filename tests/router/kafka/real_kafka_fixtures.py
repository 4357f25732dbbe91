"""Fixtures for tests that need a real Apache Kafka, in any folder; `not_run` has what is said of those that cannot run.

    def test_something(real_kafka: RealKafka) -> None:     # a broker; KAFKA_BOOTSTRAP_SERVERS wins
    def test_something(own_kafka: OwnKafka) -> None:       # one that the test may freeze and kill

Asking for one marks the test slow.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.router.kafka.not_run import ADDRESS

if TYPE_CHECKING:
    from tests.router.kafka.real_kafka import OwnKafka, RealKafka


@pytest.fixture(scope="session")
def started_kafka(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[OwnKafka]":
    """The one broker of our own in this process, started when first needed; tests ask for `real_kafka` or `own_kafka`."""
    # The client takes long to import: only tests that ask for a broker pay for it.
    from tests.router.kafka.real_kafka import OwnKafka

    kafka = OwnKafka(tmp_path_factory.mktemp("kafka"))
    yield kafka
    kafka.close()


@pytest.fixture(scope="session")
def real_kafka(request: pytest.FixtureRequest) -> "Iterator[RealKafka]":
    """A real broker, shared by all tests: that of KAFKA_BOOTSTRAP_SERVERS if it is set, else our own."""
    from tests.router.kafka.real_kafka import RealKafka

    address = os.environ.get(ADDRESS)
    kafka: RealKafka = RealKafka(address) if address else request.getfixturevalue("started_kafka")
    yield kafka
    if address:
        kafka.close()


@pytest.fixture
def own_kafka(started_kafka: "OwnKafka") -> "Iterator[OwnKafka]":
    """A real broker that the test may freeze, kill, stop and start; it is put right afterwards."""
    yield started_kafka
    started_kafka.restore()
