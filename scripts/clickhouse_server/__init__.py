"""A ClickHouse server over HTTP, from the engine that chDB publishes as a library, for tests; the standard library only."""

__all__: list[str] = []
