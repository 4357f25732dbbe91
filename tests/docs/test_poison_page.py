"""What docs/poison.md says is so: the entries of a record, and the defaults."""

import inspect
import re

import pytest

from millstream.handlers import Settings
from millstream.middleware import Retry
from millstream.router import RouterConfig
from millstream.router.poison import record
from millstream.router.poison.sink_worker import RETRY_SECONDS
from millstream.router.running.runner import Retries
from tests.docs.console import pages

PAGE = pages()["docs/poison.md"]
ENTRIES = re.findall(r"^\| `(\w+_poisoned)` \|", PAGE, re.MULTILINE)
DEFAULTS = re.findall(r"^\| `(?:\[(\w+)\] |(\w+)\.)(\w+)` \| ([\w.]+) \|", PAGE, re.MULTILINE)


def test_its_entries_are_those_of_a_record():
    """Each that the code writes has its row."""
    written = {value for value in vars(record).values() if isinstance(value, str) and value.endswith("_poisoned")}

    assert sorted(ENTRIES) == sorted(written)
    assert len(ENTRIES) == 11


@pytest.mark.parametrize(
    ("section", "owner", "key", "value"), DEFAULTS, ids=[f"{a}{b}.{key}" for a, b, key, _ in DEFAULTS]
)
def test_its_defaults_are_those_of_the_code(section, owner, key, value):
    """Of a setting, or of an argument of a class."""
    if section:
        default = getattr(getattr(Settings(), section), key)
    else:
        default = inspect.signature({"Retry": Retry, "RouterConfig": RouterConfig}[owner]).parameters[key].default

    assert str(default) == value


def test_the_other_settings_of_retry_are_those_of_the_class():
    """As the page says of all but one."""
    own = inspect.signature(Retry).parameters
    others = [key for key in type(Settings().retry).__struct_fields__ if key != "max_elapsed"]

    assert [key for key in others if own[key].default != getattr(Settings().retry, key)] == []
    assert len(DEFAULTS) == 18


def test_its_sums_are_those_of_the_waits():
    """Of ten redeliveries, and of three retries without jitter."""
    config, retry = RouterConfig(), Settings().retry
    retries = Retries(config.nack_resend_delay, config.max_nack_resend_delay, config.max_redeliveries)
    redelivering = sum(retries.delay(number) for number in range(config.max_redeliveries))
    waiting = sum(min(retry.initial_interval * retry.multiplier**number, retry.max_interval) for number in range(3))

    assert f"take {redelivering:.1f} s" in PAGE
    assert f"wait {waiting:.0f} s in all" in PAGE


def test_its_other_numbers_are_those_of_the_code():
    """What is left of a record that is too large, and how often one is tried."""
    assert f"the first {record.CUT_PAYLOAD_BYTES:,} bytes" in PAGE.replace("\n", " ")
    assert f"{record.CUT_REASON_CHARACTERS:,} characters of the reason" in PAGE
    assert ("every second, with intake stopped" in PAGE) == (RETRY_SECONDS == 1.0)


def test_page_is_linked():
    """From the README and from the page on events."""
    assert "(docs/poison.md)" in pages()["README.md"]
    assert "(poison.md)" in pages()["docs/events.md"]
