"""Payloads of events for the tests: a valid one, and ways to bend it."""

import json

VALID: dict[str, object] = {
    "id": "e-1",
    "tenant_id": "acme",
    "environment_id": "production",
    "event_name": "api_call",
    "timestamp": "2026-11-23T10:00:00.123Z",
    "external_customer_id": "c-1",
    "properties": {"bytes": 7},
}


MISSING = object()
"""As the value of a field: leave the field out."""


def make_payload(**changes: object) -> bytes:
    """Give a valid payload with some fields changed, or left out."""
    fields = {**VALID, **changes}
    return json.dumps({key: value for key, value in fields.items() if value is not MISSING}).encode()


def make_raw(**raw_values: bytes) -> bytes:
    """Give a valid payload in which some values are exactly the given bytes."""
    fields = {key: json.dumps(value).encode() for key, value in VALID.items()} | raw_values
    return b"{" + b",".join(b'"%s":%s' % (key.encode(), value) for key, value in fields.items()) + b"}"


def make_batch(*events: bytes, **ids: object) -> bytes:
    """Give a bulk message of *events*, each exactly as it is given, with the *ids* of the batch."""
    members = [b'"events":[%s]' % b",".join(events)]
    members += [b'"%s":%s' % (name.encode(), json.dumps(value).encode()) for name, value in ids.items()]
    return b"{" + b",".join(members) + b"}"
