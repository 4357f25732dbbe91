"""TLS and SASL of our own clients on a real broker: every way in works, and who is kept out hears it in one line."""

import base64
import json
import time

import pytest

from millstream.router import ConfigurationError, Message, Router
from millstream.router.kafka import (
    KafkaPublisher,
    KafkaPublisherConfig,
    KafkaSasl,
    KafkaSubscriber,
    KafkaSubscriberConfig,
    KafkaTls,
)
from millstream.router.testing import RecordingHandler, eventually, running
from tests.router.kafka.real_kafka import PASSWORD, USER, unique

TIMEOUT = 90.0
WRONG = "not-the-right-one"
MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


def make_token(_configuration):
    """Return an unsigned token for the user and when it ends, in seconds since 1970."""
    ends = time.time() + 600  # noqa: TID251  # a token carries the time of the wall clock
    parts = ({"alg": "none"}, {"sub": USER, "iat": ends - 600, "exp": ends})
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join(texts) + ".", ends


def login(mechanism, password=PASSWORD):
    """Return the settings that log in; `None` for no SASL."""
    if mechanism is None:
        return None
    if mechanism == "OAUTHBEARER":
        return KafkaSasl(mechanism=mechanism, token=make_token)
    return KafkaSasl(mechanism=mechanism, username=USER, password=password)


def settings_for(kafka, listener, mechanism, password=PASSWORD):
    """Return what both clients need for *listener*."""
    tls = KafkaTls(ca_file=str(kafka.certificate)) if "SSL" in listener else None
    return {"brokers": [kafka.addresses[listener]], "tls": tls, "sasl": login(mechanism, password)}


WAYS_IN = [("SSL", None), *[(each, how) for each in ("SASL_PLAINTEXT", "SASL_SSL") for how in MECHANISMS]]


@pytest.mark.parametrize(("listener", "mechanism"), WAYS_IN)
def test_message_goes_in_and_out_by_every_way(own_kafka, listener, mechanism):
    """Publisher and subscriber are let in, and the commit as well."""
    topic, settings = own_kafka.create_topic(1), settings_for(own_kafka, listener, mechanism)
    publisher = KafkaPublisher(KafkaPublisherConfig(**settings))
    publisher.publish(topic, Message(b"secret of nobody"))
    publisher.close()
    handler, router = RecordingHandler(), Router()
    config = KafkaSubscriberConfig(group_id=topic, **settings)
    router.add_consumer_handler("h", topic, KafkaSubscriber(config), handler)
    with running(router):
        assert handler.wait_calls(1, TIMEOUT)

    assert handler.payloads == [b"secret of nobody"]
    assert own_kafka.committed(topic, topic) == {0: 1}


STRANGERS = [
    pytest.param("SASL_PLAINTEXT", {"sasl": login("SCRAM-SHA-256", WRONG)}, id="password"),
    pytest.param("SSL", {"tls": KafkaTls()}, id="certificate"),
]


@pytest.mark.parametrize(("listener", "settings"), STRANGERS)
def test_stranger_ends_the_router_in_one_line_without_the_secret(own_kafka, log_lines, listener, settings):
    """The error says who refused and what to mend; the log has it once, without a traceback."""
    topic = own_kafka.create_topic(1)
    config = KafkaSubscriberConfig(brokers=[own_kafka.addresses[listener]], group_id=unique("g"), **settings)
    router = Router()
    router.add_consumer_handler("h", topic, KafkaSubscriber(config), RecordingHandler())
    router.start()
    with pytest.raises(ConfigurationError, match="refused us") as caught:
        router.wait_closed(TIMEOUT)
    errors = [line for line in log_lines if line.startswith("ERROR")]

    assert "\n" not in str(caught.value)
    assert errors == [f"ERROR the router stops: {caught.value}"]
    assert not any("Traceback" in line for line in log_lines)
    assert WRONG not in "".join(log_lines) + str(caught.value) + repr(config)


MISUNDERSTANDINGS = [
    pytest.param("SSL", {}, id="plain to TLS"),
    pytest.param("SASL_PLAINTEXT", {}, id="no login where one is asked for"),
    pytest.param("PLAINTEXT", {"tls": KafkaTls()}, id="TLS to plain"),
]


@pytest.mark.parametrize(("listener", "settings"), MISUNDERSTANDINGS)
def test_listener_of_another_kind_is_told_and_waited_for(own_kafka, log_lines, listener, settings):
    """Such a listener cuts the connection, as a broker does that restarts: a warning with the reason, and no end."""
    topic = own_kafka.create_topic(1)
    config = KafkaSubscriberConfig(brokers=[own_kafka.addresses[listener]], group_id=unique("g"), **settings)
    router = Router()
    router.add_consumer_handler("h", topic, KafkaSubscriber(config), RecordingHandler())
    with running(router):
        told = eventually(lambda: any("no Kafka broker can be reached" in line for line in log_lines), TIMEOUT)
        is_running = router.is_running

    assert told
    assert is_running
