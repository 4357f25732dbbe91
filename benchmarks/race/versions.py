"""Which versions took part."""

import platform
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import confluent_kafka

from benchmarks.race import bento_program
from benchmarks.race.running import Course
from benchmarks.race.tables import ROOT, ask
from tests.router.kafka.real_kafka import OwnKafka

POM = ROOT / "scripts" / "kafka_broker" / "pom.xml"


def versions(course: Course, *, with_chdb: bool) -> dict[str, str]:
    """Return the versions of what took part, by name; a broker that is not ours does not say its own."""
    found = {"Python": platform.python_version(), "librdkafka": confluent_kafka.libversion()[0]}
    if isinstance(course.kafka, OwnKafka):
        found["Apache Kafka"] = kafka_version(POM)
    if course.server is not None:
        found["ClickHouse"] = str(ask(course.server.address(), "SELECT version()")[0])
    if with_chdb:
        found["chDB"] = version("chdb")
    if course.bento is not None:
        found["Bento"] = bento_program.VERSION.removeprefix("v")
    return found


def kafka_version(pom: Path) -> str:
    """Return which Kafka the jars of *pom* are."""
    of = {"maven": "http://maven.apache.org/POM/4.0.0"}
    for dependency in ElementTree.parse(pom).iterfind(".//maven:dependency", of):
        if dependency.findtext("maven:groupId", "", of) == "org.apache.kafka":
            return dependency.findtext("maven:version", "", of)
    raise LookupError(f"{pom.name} names no Kafka")
