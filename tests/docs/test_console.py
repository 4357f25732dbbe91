"""What finds and compares the console blocks of the pages finds what differs."""

import pytest

from tests.docs.console import LANGUAGES, Shell, Step, blocks, is_shown, languages, pages, steps_of, without_bars

PAGES = pages()
PAGE = """Text.

```console
$ export A=1
$ echo "a \\
b"
a b
…
```

```toml
key = 1
```

```console
$ false
```
"""


def test_the_commands_of_all_blocks_are_found_in_order():
    """With the lines that each shows; a backslash takes the next line along."""
    assert steps_of(PAGE) == [Step("export A=1"), Step('echo "a \\\nb"', ["a b", "…"]), Step("false")]


def test_a_block_that_begins_with_output_is_a_fault():
    """It would belong to the command before, of another block."""
    with pytest.raises(AssertionError, match="begins with a command, not with 'done'"):
        steps_of("```console\ndone\n```\n")


@pytest.mark.parametrize(
    ("shown", "written"),
    [
        (["a", "b"], ["a", "b  "]),
        (["stored 2 in 0.9 s (11 events/s)"], ["stored 2 in 12.3 s (1,234 events/s)"]),
        (["2026-01-01 00:00:00.000 INFO x per_second=1"], ["2027-02-02 10:11:12.345 INFO x per_second=99"]),
        (["inserts 2 (all)"], ["inserts 17 (all)"]),
        (["…", "b"], ["1", "2", "b"]),
        (["…", "b"], ["b"]),
        (["a … c"], ["a (b) c"]),
    ],
)
def test_what_is_of_the_moment_may_differ(shown, written):
    """Times, rates, and what the page leaves out."""
    assert is_shown(shown, written)


@pytest.mark.parametrize(
    ("shown", "written"),
    [
        (["a"], ["b"]),
        (["a"], ["a", "b"]),
        (["a", "b"], ["a"]),
        ([" a"], ["a"]),
        (["a.c"], ["abc"]),
        (["stored 2 in 0.9 s (11 events/s)"], ["stored 3 in 0.9 s (11 events/s)"]),
        (["a … c"], ["a", "c"]),
        (["…", "b"], ["b", "c"]),
    ],
)
def test_everything_else_has_to_be_the_same(shown, written):
    """Each line, and no line more."""
    assert not is_shown(shown, written)


def test_a_progress_display_is_left_out():
    """With the empty line behind it, and no other empty line."""
    assert without_bars(["", "ingest ━━━ 100%", "", "done", ""]) == ["", "done", ""]


def test_no_page_hides_a_command_in_another_kind_of_block():
    """What a reader types stands in a console block, where it runs: no other holds commands, and each names its language."""
    found = {language for page in PAGES.values() for language in languages(page)}
    others = [
        (name, text) for name, page in PAGES.items() for each in found - {"console"} for text in blocks(page, each)
    ]

    assert found <= LANGUAGES
    assert [name for name, text in others if text.startswith(("$ ", "millstream ", "python ")) or "\n$ " in text] == []
    assert sum(bool(blocks(page, "console")) for page in PAGES.values()) >= 2


def test_a_shell_keeps_what_a_command_has_set(tmp_path):
    """Variables, the folder and the exit code, on a terminal of 80 columns; it reads nothing."""
    with Shell(tmp_path, {"PATH": "/usr/bin:/bin"}) as shell:
        runs = [
            shell.run(each)
            for each in ("export A=1; mkdir b; cd b; (exit 3)", 'echo "$? $A ${PWD##*/}"', "cat; test -t 1")
        ]

    assert runs == [([], 3), (["3 1 b"], 0), ([], 0)]
