"""Samples of recordings: stratified, nested, seeded, and said in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stgcnlib.errors import StudyError
from stgcnlib.sampling import LEAST, draw_nodes, even_order, proportional_order, spread_group
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import layout

CELLS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=60)


def recordings(labels: list[int], groups: dict[str, Any] | None = None, **told: Any) -> SequenceSet:
    """Recordings of one frame, with classes a, b, c … or what `told` says."""
    body = layout("kinect-v1")
    coords = [np.full((1, 1, len(body.joints), 3), i + 1.0, dtype=np.float32) for i in range(len(labels))]
    names = [chr(97 + c) for c in range(max(labels) + 1)]
    known = told or {"labels": np.array(labels), "class_names": names}
    return SequenceSet(coords, groups=groups or {}, layout=body, **known)


def most_even(counts: np.ndarray, total: int) -> list[int]:
    """As many of each as of the others, one at a time, until there are `total`; the sorted result is unique."""
    taken = np.zeros(len(counts), dtype=int)
    for _ in range(total):
        open_ = np.flatnonzero(taken < counts)
        taken[open_[taken[open_].argmin()]] += 1
    return sorted(taken.tolist())


@given(CELLS, st.integers(0, 3))
def test_every_prefix_of_the_even_order_is_even(cells: list[tuple[int, int]], seed: int) -> None:
    kinds, groups = (np.array(each) for each in zip(*cells, strict=True))
    order = even_order(kinds, groups, seed=seed)
    assert sorted(order.tolist()) == list(range(len(kinds)))
    for end in range(1, len(order) + 1):
        found = np.bincount(kinds[order[:end]], minlength=4)
        assert sorted(found.tolist()) == most_even(np.bincount(kinds, minlength=4), end)
        for kind in range(4):
            inside = groups[order[:end]][kinds[order[:end]] == kind]
            held = np.bincount(groups[kinds == kind], minlength=5)
            taken = np.bincount(inside, minlength=5)
            assert taken.max() - taken[taken < held].min(initial=taken.max()) <= 1  # none is behind that has more


@given(CELLS, st.integers(0, 3))
def test_every_prefix_of_the_proportional_order_is_in_proportion(cells: list[tuple[int, int]], seed: int) -> None:
    kinds, groups = (np.array(each) for each in zip(*cells, strict=True))
    order = proportional_order(kinds, groups, seed=seed)
    assert sorted(order.tolist()) == list(range(len(kinds)))
    held = np.bincount(kinds)
    first = int(np.minimum(held, LEAST).sum())
    assert (np.bincount(kinds[order[:first]], minlength=len(held)) == np.minimum(held, LEAST)).all()
    for end in range(first, len(order) + 1):
        taken = np.bincount(kinds[order[:end]], minlength=len(held))
        # Sainte-Lague: no kind would lose one to another; the reserved ones apart.
        last = [(taken[k] - 0.5) / held[k] for k in range(len(held)) if taken[k] > LEAST]
        due = [(taken[k] + 0.5) / held[k] for k in range(len(held)) if LEAST <= taken[k] < held[k]]
        assert max(last, default=0) <= min(due, default=1) + 1e-12
        for kind in np.unique(kinds):
            inside = groups[order[:end]][kinds[order[:end]] == kind]
            share = np.bincount(groups[kinds == kind], minlength=5) / held[kind] * len(inside)
            assert (np.abs(np.bincount(inside, minlength=5) - share) < 5).all()


def test_a_large_sample_has_the_shares_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    kinds, groups = rng.integers(0, 6, 6000) // rng.integers(1, 3, 6000), rng.integers(0, 40, 6000)
    chosen = proportional_order(kinds, groups, seed=3)[:1500]
    for kind in np.unique(kinds):
        assert abs((kinds[chosen] == kind).sum() - (kinds == kind).sum() / 4) <= 1
        for group in range(40):
            whole = ((kinds == kind) & (groups == group)).sum()
            assert abs(((kinds[chosen] == kind) & (groups[chosen] == group)).sum() - whole / 4) <= 2


def test_who_is_drawn_is_by_lot_and_by_the_seed() -> None:
    kinds, groups = np.repeat(np.arange(3), 40), np.tile(np.arange(8), 15)
    for order in (even_order, proportional_order):
        first = order(kinds, groups, seed=1)
        assert (order(kinds, groups, seed=1) == first).all()
        assert (order(kinds, groups, seed=2) != first).any()
        often = np.bincount(np.concatenate([order(kinds, groups, seed=s)[:30] for s in range(400)]), minlength=120)
        assert 60 < often.min() <= often.max() < 145  # 100 expected of each; 4.5 standard deviations


def test_so_many_of_each_class_spread_over_subjects() -> None:
    labels = [0] * 40 + [1] * 40 + [2] * 5
    people = np.array([i % 8 for i in range(85)])
    data = recordings(labels, {"subject": people})
    sample = draw_nodes(data, part="test", per_class=12, seed=4)
    assert sample.taken.tolist() == [12, 12, 5]
    assert sample.held.tolist() == [40, 40, 5]
    for kind in (0, 1):
        counts = np.bincount(people[sample.indices][data.labels[sample.indices] == kind], minlength=8)
        assert set(counts.tolist()) == {1, 2}
    assert (np.diff(sample.indices) > 0).all()
    said = sample.sentences()
    assert said[0].startswith(
        "The nodes of the DS-Graphs are a sample: 29 of the 85 recordings of the test part, 5 to 12 of each class, "
        "stratified by class and subject."
    )
    assert said[1:] == ["1 class has fewer than 12 recordings, and all of them are nodes: 'c'."]
    assert not sample.complete
    assert sample.in_short() == "a sample of 85"
    smaller = draw_nodes(data, part="test", per_class=6, seed=4)
    assert set(smaller.indices) < set(sample.indices)  # nested


def test_so_many_in_all_keep_the_shares_and_two_of_each_class() -> None:
    labels = [0] * 60 + [1] * 30 + [2] * 3 + [3]
    sample = draw_nodes(recordings(labels), part="train", nodes=30, seed=0)
    assert len(sample.indices) == 30
    assert sample.taken.tolist() == [18, 9, 2, 1]
    assert sample.by == ("class",)
    assert sample.sentences()[-1] == ("1 class has a single node, which has no neighbour of its own class: 'd'.")
    with pytest.raises(StudyError, match=r"graph.sample.nodes: 6 nodes are too few for 4 classes; .* choose 7 or more"):
        draw_nodes(recordings(labels), part="train", nodes=6)
    assert draw_nodes(recordings(labels), part="train", nodes=7).taken.tolist() == [2, 2, 2, 1]


@pytest.mark.parametrize("asked", [{"per_class": 50}, {"nodes": 500}])
def test_where_there_are_no_more_all_are_taken(asked: dict[str, int]) -> None:
    sample = draw_nodes(recordings([0] * 9 + [1] * 4), part="all", **asked)
    assert sample.complete
    assert sample.indices.tolist() == list(range(13))
    (said,) = sample.sentences()
    assert "there are no more recordings: all 13 are nodes" in said
    assert sample.in_short() == "all 13 of the part"


def test_targets_are_sampled_by_quarters_and_blocks() -> None:
    rng = np.random.default_rng(5)
    data = recordings([0] * 80, {"block": np.repeat(np.arange(8), 10)}, targets=rng.normal(size=(80, 1)))
    assert spread_group(data) == "block"
    sample = draw_nodes(data, part="test", nodes=20, seed=1)
    assert sample.taken.tolist() == [5, 5, 5, 5]
    assert "5 of each quarter of the target, stratified by quarter of the target and block" in sample.sentences()[0]
