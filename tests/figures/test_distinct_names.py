"""Recordings of one name stay apart in the explorer, whose state goes by names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stgcnlib.figures.explorer import distinct_names


def test_equal_names_are_numbered() -> None:
    assert distinct_names(["a", "a", "a (2)", "b", "a"]) == ["a", "a (3)", "a (2)", "b", "a (4)"]


@given(st.lists(st.sampled_from(["a", "a (2)", "a (3)", "b", "a (2) (2)"]), max_size=12))
def test_each_name_is_of_one_recording_and_the_first_keeps_its_own(names: list[str]) -> None:
    distinct = distinct_names(names)
    assert len(set(distinct)) == len(names)
    assert all(new.startswith(old) for new, old in zip(distinct, names, strict=True))
    assert all(distinct[names.index(name)] == name for name in names)
