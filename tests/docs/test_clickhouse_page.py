"""What docs/clickhouse.md says is so."""

import re

import pytest

from millstream.handlers.batching import BatchConfig
from millstream.handlers.batching.decision import SLOWEST_SECONDS
from millstream.handlers.store.insert_settings import EXECUTION_MARGIN
from millstream.handlers.store.sent_settings import SENT
from tests.guards.sources import ROOT

PAGE = (ROOT / "docs" / "clickhouse.md").read_text(encoding="utf-8")


def test_its_settings_are_those_that_are_sent():
    """The table is that of the code: names, values and reasons, in one order."""
    rows = re.findall(r"^\| `(\w+)` \| (?:`([^`]*)`|\(empty\)) \| (.*) \|$", PAGE, re.MULTILINE)

    assert rows == [(name, str(sent.value), sent.reason) for name, sent in SENT.items()]


def test_its_numbers_are_those_of_the_code():
    """How often what somebody has to mend is tried, for how long, and how much earlier the engine gives up."""
    config = BatchConfig()

    assert f"ever slower ({config.wait_interval:.0f} to {SLOWEST_SECONDS:.0f} s)" in PAGE
    assert f"`[batch] halt_after` ({config.halt_after:.0f} s)" in PAGE
    assert EXECUTION_MARGIN == 5.0
    assert "five seconds less than we wait" in PAGE.replace("\n", " ")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_page_or_its_server_is_named_on_the_first_pages(page):
    """Whoever runs a server finds the page, whoever tests finds the script."""
    text = (ROOT / page).read_text(encoding="utf-8")

    assert ("docs/clickhouse.md" if page == "README.md" else "`scripts/clickhouse`") in text
