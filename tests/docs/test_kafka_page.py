"""What docs/kafka.md says is so."""

import re

import pytest

from millstream.router.kafka import KafkaPublisherConfig, KafkaSubscriberConfig
from millstream.router.kafka.consuming.rebalances import revoke_seconds
from tests.docs.console import blocks
from tests.docs.test_readme import ROOT
from tests.router.kafka.real_kafka import unique

PAGE = (ROOT / "docs" / "kafka.md").read_text()
DEFAULTS = re.findall(r"`(\w+)`(?: seconds)? \(`?([\d,]+|\"\w+\")`?(?: (MiB|s))?\)", PAGE)
UNITS = {"": 1, "s": 1, "MiB": 1024 * 1024}


def test_its_program_runs():
    """Both configurations are accepted as they stand there."""
    names = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], names)

    assert names["consuming"].group_protocol == "consumer"
    assert names["producing"].brokers == ["kafka-1:9093", "kafka-2:9093"]


@pytest.mark.slow
def test_its_program_that_makes_a_topic_runs(real_kafka, monkeypatch):
    """With its number of partitions; the second time the topic is there."""
    topic = unique("signups")
    program = blocks(PAGE, "python")[1].replace('"signups"', f'"{topic}"')
    monkeypatch.setenv("MILLSTREAM_KAFKA__BROKERS", real_kafka.bootstrap_servers)
    first, second = {}, {}
    exec(program, first)
    exec(program, second)

    assert (first["is_new"], second["is_new"]) == (True, False)
    assert len(real_kafka.end_offsets(topic)) == 4


def test_its_defaults_are_those_of_the_fields():
    """A number behind the name of a field is the field's default."""
    fields = KafkaSubscriberConfig(brokers=["b:1"], group_id="g"), KafkaPublisherConfig(brokers=["b:1"])
    found = {}
    for name, value, unit in DEFAULTS:
        holder = next(each for each in fields if hasattr(each, name))
        told = value.strip('"') if value.startswith('"') else int(value.replace(",", "")) * UNITS[unit]
        found[name] = told == getattr(holder, name)

    assert set(found) >= {
        "commit_interval",
        "start_from",
        "max_pending",
        "max_pending_bytes",
        "warn_after",
        "max_message_bytes",
    }
    assert all(found.values()), found


def test_its_limits_of_a_revoke_are_those_of_the_code():
    """10 s, a fifth of the poll interval, half the session timeout of the classic protocol."""
    config = {"brokers": ["b:1"], "group_id": "g"}
    classic = KafkaSubscriberConfig(**config, session_timeout=6.0)
    new = KafkaSubscriberConfig(**config, group_protocol="consumer", max_poll_interval=20.0)

    assert "after 10 s, a fifth of `max_poll_interval` or" in PAGE
    assert revoke_seconds(KafkaSubscriberConfig(**config)) == 10.0
    assert (revoke_seconds(classic), revoke_seconds(new)) == (3.0, 4.0)
