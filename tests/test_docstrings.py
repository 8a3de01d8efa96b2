"""Every public name says what it takes and gives, in which shape and unit, what it raises, and whose formula it is."""

from __future__ import annotations

import ast
import textwrap

import pytest
from docstring_rules import Name, glossary, lacking, public_names


def test_no_public_name_lacks_anything() -> None:
    names = public_names()
    assert len(names) > 450  # the rooms were found
    gaps = [f"{name.room}.{name.title}: {what}" for name in names for what in lacking(name)]
    assert not gaps, "docstrings lack\n" + "\n".join(gaps)


def test_the_glossary_is_the_one_of_the_package() -> None:
    assert {"network", "labels", "seed", "device", "progress"} <= set(glossary())
    assert "(N,)" in glossary()["labels"]


def gaps(source: str, room: str = "geometry") -> list[str]:
    module = ast.parse(textwrap.dedent(source))
    (node,) = (each for each in module.body if isinstance(each, ast.FunctionDef) and not each.name.startswith("_"))
    return list(lacking(Name(room, node.name, node, module)))


COMPLETE = '''
    Floats = NDArray[np.float64]

    def _check(k):
        if k < 1:
            raise GraphError("k")

    def spread(distances: ArrayLike, *, k: int, sigma: float) -> tuple[Floats, int]:
        """How far neighbours are spread.

        Source: our choice (docs/method.md, "Distance").

        Args:
            distances: (N, N), symmetric.
            k: neighbours.
            sigma: width, in the unit of the distances.

        Returns:
            (N,) spread of each node, and how many count.

        Raises:
            GraphError: `k` is below 1.
        """
        _check(k)
'''


def test_a_complete_docstring_passes() -> None:
    assert gaps(COMPLETE) == []


@pytest.mark.parametrize(
    ("cut", "put", "lacks"),
    [
        ("            k: neighbours.\n", "", "k: what it is"),
        ("(N, N), symmetric", "symmetric", "distances: its shape"),
        (", in the unit of the distances", "", "sigma: its unit (unit)"),
        ("(N,) spread of each node", "spread of each node", "the shape of what it returns"),
        ("Returns:", "Gives:", "Returns"),
        ("GraphError: `k`", "Nothing: `k`", "Raises GraphError"),
        ('Source: our choice (docs/method.md, "Distance").', "It is known.", "its source"),
        ('"Distance"', '"Astrology"', "a heading 'Astrology' in docs/method.md"),
    ],
)
def test_what_is_cut_out_is_missed(cut: str, put: str, lacks: str) -> None:
    assert cut in COMPLETE
    assert lacks in gaps(COMPLETE.replace(cut, put))


def test_a_summary_is_missed() -> None:
    assert gaps("def spread(k: int) -> int:\n    return k\n") == ["a summary"]


def test_an_error_that_is_caught_is_none_to_document() -> None:
    source = '''
    def read(title: str) -> int:
        """A number from a text."""
        try:
            raise ValueError(title)
        except ValueError:
            return 0
    '''
    assert gaps(source, "readers") == []
