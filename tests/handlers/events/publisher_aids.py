"""Events for the tests of publishing."""

from datetime import UTC, datetime

from millstream.handlers.events import create_event


def event_fields(name, tenant="acme", environment="production"):
    """Return the fields of a valid event called *name*."""
    return {
        "id": name,
        "tenant_id": tenant,
        "environment_id": environment,
        "event_name": "api_call",
        "timestamp": datetime(2026, 11, 23, 10, tzinfo=UTC),
        "external_customer_id": "c-1",
    }


def event(name, tenant="acme", environment="production", properties=None):
    """Return a valid event called *name*."""
    return create_event(properties, **event_fields(name, tenant, environment))
