"""Fixtures for the tests of batching."""

import pytest

from millstream.handlers.batching import BatchConfig, MessageBatcher
from millstream.router import MONOTONIC


@pytest.fixture
def batcher():
    """A function that makes batchers and drains them at the end of the test."""
    made = []

    def make(process, *, clock=MONOTONIC, gate=None, rank=0, **config):
        config = {"wait_interval": 0.001, **config} if clock is MONOTONIC else config
        made.append(MessageBatcher(BatchConfig(**config), process, clock=clock, gate=gate, rank=rank))
        return made[-1]

    yield make
    for each in made:
        each.drain(MONOTONIC.now() + 0.2)
