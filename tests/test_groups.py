"""Who may be whose neighbour and what is resampled, against the plain definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stgcnlib.errors import GraphError, StudyError
from stgcnlib.groups import (
    Fewest,
    at_least_two,
    barred_pairs,
    candidate_counts,
    check_candidates,
    fewest_candidates,
    group_codes,
    grouping,
    largest_k,
    main_neighbours,
    neighbours_label,
    neighbours_phrase,
    of_nodes,
    plural,
    resampled_count,
    resampled_groups,
)

PEOPLE = np.array(["bo", "ann", "bo", "cy", "bo", "ann"])
DAYS = np.array([1, 1, 2, 2, 3, 3])
KNOWN: dict[str, Any] = {"subject": PEOPLE, "day": DAYS}


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=9))
def test_pairs_and_counts_are_those_of_the_definition(names: list[str]) -> None:
    count = len(names)
    expected = [[i == j or names[i] == names[j] for j in range(count)] for i in range(count)]
    assert barred_pairs(names, count).tolist() == expected
    for exclude in (names, np.array(expected)):
        free = [row.count(False) for row in expected]
        assert candidate_counts(exclude, count).tolist() == free
        assert fewest_candidates(exclude, count) == Fewest(free.index(min(free)), min(free))
        assert largest_k(3, exclude, count) == min(3, max(1, min(free)))
    assert [sorted(set(names))[c] for c in group_codes(names, count)] == names


def test_without_groups_everyone_else_is_a_candidate() -> None:
    assert barred_pairs(None, 3).tolist() == np.eye(3, dtype=bool).tolist()
    assert candidate_counts(None, 3).tolist() == [2, 2, 2]
    assert barred_pairs(np.zeros((3, 3), dtype=bool), 3).diagonal().all()
    assert largest_k(50, None, 3) == 2


@pytest.mark.parametrize(
    ("k", "exclude", "message"),
    [
        (0, None, "k=0; expected at least one neighbour"),
        (
            6,
            None,
            r"node 0 has only 5 admissible candidates among 6 nodes \(itself does not count\); lower k to at most 5",
        ),
        (4, PEOPLE, r"node 0 has only 3 .*\(itself and excluded nodes do not count\); lower k to at most 3"),
        (1, np.ones(6), "node 0 has only 0 admissible .*exclude fewer pairs"),
        (1, np.ones(4), r"expected \(6,\) group values"),
    ],
)
def test_a_k_that_cannot_be_names_the_node(k: int, exclude: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        check_candidates(k, exclude, 6)


def test_groups_that_do_not_fit() -> None:
    with pytest.raises(GraphError, match=r"shape \(6,\); expected \(5,\), one value per node"):
        group_codes(PEOPLE, 5)
    with pytest.raises(GraphError, match=r"shape \(2, 2\); expected \(N,\)"):
        group_codes([[1, 2], [3, 4]])
    with pytest.raises(GraphError, match="several kinds"):
        group_codes(np.array(["ann", 3], dtype=object))


def test_one_group_tells_nobody_apart() -> None:
    assert at_least_two(None) is None
    assert at_least_two([]) is None
    assert at_least_two(["ann", "ann"]) is None
    assert at_least_two(PEOPLE) is PEOPLE


def test_what_is_resampled() -> None:
    assert resampled_groups(None, None) is None
    assert resampled_groups(None, PEOPLE) is PEOPLE
    assert resampled_groups(DAYS, PEOPLE) is DAYS
    assert resampled_groups("recordings", PEOPLE) is None
    assert (resampled_count(DAYS[:4], PEOPLE), resampled_count("recordings", PEOPLE)) == (2, None)
    with pytest.raises(GraphError, match="resample='subject' is unknown"):
        resampled_groups("subject", PEOPLE)
    assert of_nodes("recordings", np.array([0])) == "recordings"
    assert of_nodes(None, np.array([0])) is None
    assert np.asarray(of_nodes([4, 5, 6], np.array([2, 0]))).tolist() == [6, 4]


@pytest.mark.parametrize(
    ("known", "settings", "groups", "label", "drawn"),
    [
        (KNOWN, {}, PEOPLE, "other subjects", PEOPLE),
        (KNOWN, {"leave_out": "day"}, DAYS, "other days", PEOPLE),
        (KNOWN, {"leave_out": None}, None, "all", PEOPLE),
        (KNOWN, {"resample": "day"}, PEOPLE, "other subjects", DAYS),
        (KNOWN, {"resample": None}, PEOPLE, "other subjects", None),
        ({"day": DAYS}, {"leave_out": "day"}, DAYS, "other days", None),
        ({"day": DAYS}, {}, None, "all", None),
        ({}, {}, None, "all", None),
        ({"subject": np.zeros(6)}, {"leave_out": None}, None, "all", None),  # one person says nothing of others
    ],
)
def test_two_settings_choose_two_groups(known: Any, settings: Any, groups: Any, label: str, drawn: Any) -> None:
    found = grouping(known, **settings)
    assert found.groups is groups
    assert found.neighbours == label
    assert resampled_groups(found.resample, found.groups) is drawn


@pytest.mark.parametrize(("setting", "field"), [("leave_out", "graph.leave_out"), ("resample", "geometry.resample")])
def test_an_unknown_group_is_named_with_its_field(setting: str, field: str) -> None:
    with pytest.raises(StudyError, match=f"{field}: the data has no group 'subjct'; did you mean 'subject'"):
        grouping(KNOWN, **{setting: "subjct"})
    with pytest.raises(StudyError, match=f"{field}: the data has no group 'day'; it has no groups at all"):
        grouping({}, **{setting: "day"})


def test_words() -> None:
    assert [plural(name) for name in ("subject", "day", "city", "class", "batch", "hands")] == [
        "subjects", "days", "cities", "classes", "batches", "hands",
    ]  # fmt: skip
    assert [neighbours_label(name) for name in (None, "subject", "day")] == ["all", "other subjects", "other days"]
    assert [neighbours_phrase("subject"), neighbours_phrase("day")] == ["by other subjects", "of other days"]
    assert [neighbours_phrase(name, same=True) for name in ("subject", "day")] == [
        "by the same subject", "of the same day",
    ]  # fmt: skip
    assert main_neighbours(["all", "other days", "all"]) == "other days"
    assert main_neighbours(["all"]) == main_neighbours([]) == "all"
