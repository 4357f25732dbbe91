"""The examples in docstrings: each public class has one, and all of them give what they show.

An example may use the names of the three rooms as they are; what else it needs it imports.
"""

import ast
import doctest
import inspect
from pathlib import Path

import pytest

import millstream
from millstream import handlers, middleware, router

ROOMS = (router, middleware, handlers)
NAMES = {name: getattr(room, name) for room in ROOMS for name in room.__all__}
WITHOUT = {"AddedLanes"}
"""Needs a broker and a store: what `add_lanes` returns, in `examples/ex07_whole_service.py`, which has a test of its own."""
PROMPT = ">>>"


def needs_example(thing):
    """Whether *thing* is a class that is worked with: an error is only caught, and a protocol is written by whoever needs it."""
    return (
        inspect.isclass(thing)
        and not issubclass(thing, BaseException)
        and not getattr(thing, "_is_protocol", False)
        and thing.__name__ not in WITHOUT
    )


CLASSES = {name: thing for name, thing in sorted(NAMES.items()) if needs_example(thing)}


def run_example(name, text):
    """Run the example in the docstring *text*; returns how many of its lines went wrong, and what was said."""
    said = []
    example = doctest.DocTestParser().get_doctest(text, dict(NAMES), name, name, 0)
    done = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    return done.failed, "".join(said)


@pytest.mark.parametrize("name", CLASSES)
def test_the_class_has_an_example_that_gives_what_it_shows(name):
    """A reader may paste it."""
    text = CLASSES[name].__doc__
    failed, said = run_example(name, text)

    assert text.count(PROMPT) > 0, f"{name} has no example in its docstring"
    assert failed == 0, said


def test_the_first_names_of_the_package_are_among_them():
    """What `millstream` hands out are the classes of the rooms."""
    own = {name for name in millstream.__all__ if inspect.isclass(getattr(millstream, name))}

    assert own <= set(NAMES)
    assert len(CLASSES) > 30


@pytest.mark.static
def test_no_other_docstring_holds_an_example_that_nothing_runs():
    """One of a function, a method or a module would be taken for one that is tested."""
    tested = {inspect.cleandoc(thing.__doc__) for thing in CLASSES.values()}
    files = [file.read_text(encoding="utf-8") for room in ROOMS for file in Path(room.__file__).parent.rglob("*.py")]
    nodes = [node for text in files if PROMPT in text for node in ast.walk(ast.parse(text))]
    texts = [ast.get_docstring(node) for node in nodes if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]

    assert len([text for text in texts if text in tested]) == len(tested)
    assert [text for text in texts if text and PROMPT in text and text not in tested] == []


def test_an_example_that_shows_something_else_is_found():
    """The runner compares."""
    failed, said = run_example("wrong", ">>> Message(b'1').payload\nb'2'\n")

    assert failed == 1
    assert "b'2'" in said
