"""What `compose.yaml` promises, read as text: no parser of YAML is a dependency."""

import re
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "compose.yaml").read_text()


def test_every_port_is_bound_to_this_machine():
    """Nothing of a trial set-up is reachable from outside."""
    ports = re.findall(r"ports:\n((?: +- .*\n)+)", TEXT)
    published = re.findall(r'- "(.*)"', "".join(ports))

    assert published == ["127.0.0.1:9092:9092", "127.0.0.1:8123:8123"]


def test_every_image_is_official_and_pinned():
    """A version is named, and it is not the moving one."""
    assert re.findall(r"image: (.*)", TEXT) == ["apache/kafka:4.1.0", "clickhouse/clickhouse-server:25.8"]


def test_indentation_is_that_of_yaml():
    """No tab, and every level two spaces deep."""
    assert "\t" not in TEXT
    assert all((len(line) - len(line.lstrip(" "))) % 2 == 0 for line in TEXT.splitlines())
