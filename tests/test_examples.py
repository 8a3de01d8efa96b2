"""The examples in the docstrings of the library's own names give what they say."""

from __future__ import annotations

import doctest
import importlib
import inspect

import pytest

import stgcnlib

FINDER = doctest.DocTestFinder(recurse=False)


def examples() -> list[doctest.DocTest]:
    """One for each public name whose docstring has an example, with no names in scope but those that it imports."""
    things = {name: getattr(stgcnlib, name) for name in stgcnlib.__all__ if name != "__version__"}
    found = []
    for name, thing in things.items():
        if inspect.isroutine(thing) or inspect.isclass(thing):
            module = importlib.import_module(thing.__module__)
            found += [test for test in FINDER.find(thing, name, module=module, globs={}) if test.examples]
    return found


EXAMPLES = examples()


def test_the_names_used_most_have_examples() -> None:
    assert len(EXAMPLES) >= 18, [test.name for test in EXAMPLES]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda test: test.name)
def test_an_example_gives_what_it_says(example: doctest.DocTest) -> None:
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(example, out=said.append)
    assert not said, "".join(said)


def test_an_example_that_says_something_else_fails() -> None:
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)
    with pytest.raises(AssertionError, match="Expected"):
        test_an_example_gives_what_it_says(wrong)
