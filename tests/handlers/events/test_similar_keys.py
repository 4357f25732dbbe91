"""An unknown key that looks like a known one is told of, once."""

import pytest

from millstream.handlers.events.similar_keys import EVERY, FIRST, MAX_KEYS, SimilarKeys, similar_to
from tests.handlers.events.event_payloads import MISSING, make_payload
from tests.handlers.events.service_aids import batch_of, make_service

TYPO = {"properties": MISSING, "propertes": {"bytes": 1}}
WARNING = "WARNING events have the key 'propertes', which is ignored: did you mean 'properties'?"


def warnings(log_lines):
    """Return what was warned of."""
    return [line for line in log_lines if line.startswith("WARNING")]


@pytest.mark.parametrize(
    ("key", "known"),
    [
        pytest.param("propertes", "properties", id="a letter missing"),
        pytest.param("Properties", "properties", id="a capital"),
        pytest.param("proporties", "properties", id="another letter"),
        pytest.param("customerId", "customer_id", id="camel case"),
        pytest.param("external-customer-id", "external_customer_id", id="dashes"),
        pytest.param("external_customer", "external_customer_id", id="a part missing"),
        pytest.param("sources", "source", id="a plural"),
        pytest.param("resource", None, id="another word"),
        pytest.param("customer", None, id="a whole customer"),
        pytest.param("tenantid", None, id="like one that is never missing"),
        pytest.param("uid", None, id="short"),
        pytest.param("", None, id="empty"),
        pytest.param("properties" * 1000, None, id="long"),
    ],
)
def test_keys_that_look_like_a_known_one(key, known):
    """Case, underscores and dashes are no difference; a word of its own is one."""
    found = similar_to(key)

    assert found == known


def test_a_key_is_told_once_with_the_known_one(log_lines):
    """However many events and batches have it, also where a batch is tried again."""
    service = make_service()
    for number in range(3):
        service.process_batch(batch_of(*(make_payload(id=f"{number}-{each}", **TYPO) for each in range(5))))

    assert warnings(log_lines) == [WARNING]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"propertes": {}}, id="the known one is there too"),
        pytest.param({"region": "eu"}, id="a key of its own"),
        pytest.param({"properties": {"sorce": 1}}, id="inside the properties"),
    ],
)
def test_other_unknown_keys_are_no_news(log_lines, changes):
    """An event may bring what it likes."""
    make_service().process_batch(batch_of(make_payload(**changes)))

    assert warnings(log_lines) == []


def test_the_text_of_a_key_is_not_obeyed(log_lines):
    """Neither braces nor escape sequences."""
    SimilarKeys().look_at([[make_payload(**{"properties": MISSING, "{properties}": 1, "\x1bproperties": 1})]])

    assert sorted(warnings(log_lines)) == [
        "WARNING events have the key '\\x1bproperties', which is ignored: did you mean 'properties'?",
        "WARNING events have the key '{properties}', which is ignored: did you mean 'properties'?",
    ]


@pytest.mark.parametrize(
    ("place", "is_told"),
    [
        pytest.param(0, True, id="first of a batch"),
        pytest.param(EVERY, True, id="one in so many"),
        pytest.param(1, False, id="between"),
    ],
)
@pytest.mark.parametrize("cut", [0, 1, 2, EVERY - 1, EVERY, EVERY + 1])
def test_of_many_events_some_are_looked_at(log_lines, place, is_told, cut):
    """All of the first ones, and later the first of a batch and one in 500, wherever it is cut: it costs nothing per event."""
    keys, good = SimilarKeys(), make_payload()
    keys.look_at([[good] * FIRST])
    later = [good] * (EVERY + 2)
    later[place] = make_payload(**TYPO)
    keys.look_at([later[:cut], later[cut:]])

    assert warnings(log_lines) == ([WARNING] if is_told else [])


def test_keys_that_are_made_up_for_each_event_are_not_remembered_for_ever(log_lines):
    """Past a thousand of them nothing is kept, and nothing looked for."""
    keys = SimilarKeys()
    keys.look_at([[make_payload(**{f"key-{number}": 1 for number in range(MAX_KEYS)})]])
    keys.look_at([[make_payload(**TYPO)]])

    assert warnings(log_lines) == []
