"""The help of every command, also of one that is still to come: an example that is right, and the exit codes it can give."""

import re
import shlex

import click
import pytest

from millstream.handlers.cli.exits import exits
from millstream.handlers.cli.main import PROGRAM, commands
from millstream.router import ExitCode

LINE = re.compile(r"^    (?P<code>\d|128\+n)  \S.*$")
COLUMNS = 80
"""Of the narrowest terminal: what stands in such a block is not folded."""
OTHERS = {"|", "&&", ";", ">", "<"}
"""Behind them stands something that is not of the command."""
GIVES = {
    "": "012345n",
    "demo": "01245n",
    "ingest": "012345n",
    "publish": "012345n",
    "run": "012345n",
    "query": "012",
    "migrate": "012",
    "dlq": "01235n",
    "dlq list": "012",
    "dlq show": "012",
    "dlq replay": "01235n",
    "doctor": "0125",
    "config": "012",
    "config init": "012",
    "config check": "012",
}
"""What each command can end with, `n` for a second signal; what is not in this table has to say its own."""


def walk(command: click.Command, words: tuple[str, ...]) -> dict[str, click.Command]:
    """Return every command below *command* and itself, by the words behind the name of the program."""
    found = {" ".join(words): command}
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=PROGRAM)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, name
            found |= walk(below, (*words, name))
    return found


ALL = walk(commands, ())


def help_of(words: str) -> str:
    """Return what `--help` prints of a command."""
    context = click.Context(ALL[words], info_name=f"{PROGRAM} {words}".rstrip(), terminal_width=COLUMNS)
    return ALL[words].get_help(context)


def end_of(words: str) -> tuple[list[str], list[str]]:
    """Return the lines of the examples and of the exit codes, which are the end of the help."""
    found = re.search(r"\n  Examples?:\n((?:    .+\n)+)\n  Exit codes:\n((?:    .+\n)*    .+)$", help_of(words))
    assert found, f"the help of {words!r} has to end with Example: and, by @exits(…), Exit codes:"
    return found[1].splitlines(), found[2].splitlines()


def command_of(example: str) -> str:
    """Return which command a line of an example is, in words; it is taken apart as it would be, and nothing runs."""
    lexer = shlex.shlex(example, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    given = words[words.index(PROGRAM) + 1 :]
    given = given[: next((place for place, word in enumerate(given) if word in OTHERS), len(given))]
    command, path, context = commands, [], None
    while True:
        context = command.make_context(PROGRAM, given, parent=context)
        # What a group leaves for the command below it.
        given = [*getattr(context, "_protected_args", []), *context.args]
        if not isinstance(command, click.Group) or not given:
            return " ".join(path)
        name, command, given = command.resolve_command(context, given)
        path.append(name)


@pytest.mark.parametrize("words", ALL)
def test_every_help_ends_with_an_example_that_is_right(words: str) -> None:
    """Expect a line that can be typed: the command itself, or one of a group, with options and values that exist."""
    examples, _ = end_of(words)
    meant = [command_of(each) for each in examples]

    assert all(each == words or (isinstance(ALL[words], click.Group) and each.startswith(words)) for each in meant), (
        meant
    )


@pytest.mark.parametrize("words", ALL)
def test_every_help_says_the_exit_codes(words: str) -> None:
    """Expect each code once, in order, in words; a clean end, a bug and wrong usage are among them."""
    _, lines = end_of(words)
    codes = [found["code"] for line in lines if (found := LINE.match(line))]

    assert len(codes) == len(lines)
    assert codes == sorted(set(codes), key=lambda code: (len(code), code))
    assert {"0", "1", "2"} <= set(codes) <= {*(str(int(code)) for code in ExitCode), "128+n"}


@pytest.mark.parametrize("words", GIVES)
def test_a_command_says_the_codes_that_it_can_give(words: str) -> None:
    """Expect no code that it never ends with, and none left out."""
    _, lines = end_of(words)

    assert "".join(line.split()[0].removeprefix("128+") for line in lines) == GIVES[words]


@pytest.mark.parametrize("words", ALL)
def test_a_help_fits_the_narrowest_terminal(words: str) -> None:
    """Expect no line that a terminal would fold."""
    assert [line for line in help_of(words).splitlines() if len(line) > COLUMNS] == []


@pytest.mark.parametrize("example", ["millstream qery 'SELECT 1'", "millstream query", "millstream run --onec"])
def test_an_example_that_is_wrong_is_found(example: str) -> None:
    """Expect the look at the examples to see a command, an argument and an option that is none."""
    with pytest.raises(click.UsageError):
        command_of(example)


def test_a_command_without_an_example_says_its_codes_all_the_same() -> None:
    """Expect the look at the helps, not the decorator, to miss the example."""

    @exits(clean="done", undrained="not done")
    @click.command()
    def own() -> None:
        """Do something."""

    assert own.help == "Do something."
    assert [line[:3] for line in (own.epilog or "").splitlines()[2:]] == ["  0", "  1", "  2", "  5"]
