"""A one-node Apache Kafka from its published jars, for tests and trials; the standard library only."""

__all__: list[str] = []
