"""Settings that a program makes are of the types that they say."""

from typing import Literal

import msgspec
import pytest

from millstream.handlers import BatchConfig, EventConsumptionService, EventRepository, open_store
from millstream.handlers.events import LaneConfig
from millstream.handlers.settings import ClickHouseConfig, KafkaConfig
from millstream.handlers.testing import FakeStore
from millstream.router import ConfigurationError, KafkaPublisherConfig, KafkaSubscriberConfig
from millstream.router.typed_fields import require_types

LANE = {"topic": "t", "consumer_group": "g", "topic_dlq": "drop"}
SECRET = "http://u:hush@h"


class Options(msgspec.Struct):
    """Fields of the kinds that there are."""

    count: int = 1
    seconds: float = 1.0
    way: Literal["wait", "poison"] = "wait"
    name: str | None = None
    names: list[str] = []


@pytest.mark.parametrize(
    "given",
    [{}, {"seconds": 2}, {"way": "poison"}, {"name": "a"}, {"names": ["a", "b"]}],
    ids=["defaults", "a whole number for seconds", "another word", "a text", "a list"],
)
def test_what_is_of_its_type_passes(given):
    """A whole number is one of seconds as well."""
    require_types(Options(**given))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"count": "2"}, "x.count is no value for it: expected `int`, got `str`"),
        ({"count": 2.5}, "x.count is no value for it: expected `int`, got `float`"),
        ({"count": True}, "x.count is no value for it: expected `int`, got `bool`"),
        ({"seconds": "2"}, "x.seconds is no value for it: expected `float`, got `str`"),
        ({"way": "posion"}, "x.way must be 'wait' or 'poison', not 'posion'"),
        ({"way": 5}, "x.way must be 'wait' or 'poison', not 5"),
        ({"name": b"secret"}, "x.name is no value for it: expected `str | null`, got `bytes`"),
        ({"names": "ab"}, "x.names is no value for it: expected `array`, got `str`"),
    ],
)
def test_what_is_not_is_told_by_its_name(given, text):
    """And by what it should be; not by its value, which may be a secret."""
    with pytest.raises(ConfigurationError) as caught:
        require_types(Options(**given), "x.")
    assert str(caught.value).startswith(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: BatchConfig(batch_size="250"), "batch.batch_size is no value"),
        (lambda: BatchConfig(batch_size=2.5), "batch.batch_size is no value"),
        (lambda: BatchConfig(on_exhausted="posion"), "batch.on_exhausted must be 'wait' or 'poison'"),
        (lambda: LaneConfig(**LANE, concurrency="4"), "concurrency is no value"),
        (lambda: LaneConfig(**LANE, rate_limit=float("nan")), "rate_limit must be more than 0"),
        (lambda: ClickHouseConfig(insert_deadline="60"), "clickhouse.insert_deadline is no value"),
        (lambda: KafkaConfig(start_from="lastest"), "kafka.start_from must be 'earliest' or 'latest', not 'lastest'"),
        (
            lambda: KafkaSubscriberConfig(brokers=["h:1"], group_id="g", group_protocol="clasic"),
            "group_protocol must be 'classic' or 'consumer', not 'clasic'",
        ),
        (
            lambda: KafkaPublisherConfig(brokers=["h:1"], partitioner=["murmur2"]),
            "partitioner must be 'consistent_random' or",
        ),
        (lambda: open_store(None), "the store address is a NoneType: pass text"),
        (lambda: open_store(SECRET.encode()), "the store address is a bytes: pass text"),
        (
            lambda: EventConsumptionService(EventRepository(FakeStore()), batch_config={"batch_size": 1}),
            "batch_config is ",
        ),
    ],
)
def test_settings_of_a_program_are_checked_where_they_are_made(make, text):
    """A thread would meet them much later, and an odd word would count as the other one."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value).startswith(text)
    assert "hush" not in str(caught.value)
