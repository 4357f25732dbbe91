"""How `millstream migrate` takes its steps, and what it says of them."""

import pytest

from millstream.handlers.cli.migrate_steps import Step, take
from millstream.handlers.cli.migrate_table import table_steps
from millstream.handlers.settings.sections import ClickHouseConfig
from millstream.handlers.store import QueryError, Result
from millstream.handlers.testing import FakeStore
from millstream.router import ConfigurationError


def fail(error):
    """Return what raises *error*."""

    def do():
        raise error

    return do


def test_a_dry_run_prints_the_same_and_does_nothing(capsys):
    """Expect checks in place of deeds, and not a letter of difference."""
    done, checked = [], []
    steps = [Step(f"step {n}", lambda n=n: done.append(n), lambda n=n: checked.append(n)) for n in range(3)]
    take(steps, dry_run=True)
    dry = capsys.readouterr()
    before = list(done)
    take(steps, dry_run=False)

    assert (before, checked, done) == ([], [0, 1, 2], [0, 1, 2])
    assert capsys.readouterr() == dry
    assert dry.out == "step 0\nstep 1\nstep 2\n"


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_was_done_is_printed_before_an_error(capsys, dry_run):
    """Expect a line for each step before the one that failed, and none for that or any behind it."""
    bad = fail(ConfigurationError("no right to"))

    with pytest.raises(ConfigurationError, match="no right to"):
        take([Step("one"), Step("two", bad, bad), Step("three")], dry_run=dry_run)
    assert capsys.readouterr().out == "one\n"


def test_what_nothing_can_be_stored_in_is_an_error_at_the_end(capsys):
    """Expect everything else to be done, and then the line once more as an error."""
    done = []
    with pytest.raises(ConfigurationError, match="nothing can be stored as it is: table t: bad"):
        take([Step("table t: bad", is_fatal=True), Step("more", lambda: done.append(1))], dry_run=False)

    assert done == [1]
    assert capsys.readouterr().out == "table t: bad\nmore\n"


def test_a_folder_that_is_not_there_yet_is_not_made_by_a_dry_run():
    """Expect the steps of a new one without a store to ask."""
    named = [step.text.partition(": C")[0].splitlines()[0] for step in table_steps(None, ClickHouseConfig())]
    other = [step.text for step in table_steps(None, ClickHouseConfig(database="usage"))]

    assert named == ["database default: was there", "table default.events: created"]
    assert other[0] == "database usage: created: CREATE DATABASE IF NOT EXISTS `usage`"


def test_a_refusal_of_the_store_names_what_was_not_done():
    """Expect the thing, the reason and the code of the store."""

    class Refusing(FakeStore):
        def command(self, sql):
            raise QueryError("Not enough privileges", code=497)

    store = Refusing()
    store.answers["SELECT count() FROM system.databases WHERE name = 'usage'"] = Result(("count()",), [(0,)])
    first, _ = table_steps(store, ClickHouseConfig(database="usage"))

    with pytest.raises(
        QueryError, match=r"not done: database usage: created: Not enough privileges \[ClickHouse code 497\]"
    ):
        first.do()
