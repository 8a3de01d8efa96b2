"""The distances that are searched for a layer are those that graphs, intervals and means read."""

from __future__ import annotations

import numpy as np
import pytest

from stgcnlib.dsgraph import nnk_graph
from stgcnlib.dsgraph.distances import all_or_nearest, nearest_distances
from stgcnlib.dtw import DTWOptions, dtw_distances
from stgcnlib.errors import GraphError
from stgcnlib.geometry.measure import graphs_without
from stgcnlib.geometry.uncertainty import Jackknife, deletion_groups

OPTIONS = DTWOptions(window=4)


@pytest.fixture(scope="module")
def sequences() -> list[np.ndarray]:
    """Ninety sequences in a plane of 80 features, of six classes."""
    rng = np.random.default_rng(1)
    plane, centres = rng.normal(size=(3, 80)), rng.normal(size=(6, 3)) * 3
    return [
        (centres[i % 6] + rng.normal(size=3) + rng.normal(size=(t, 3)).cumsum(axis=0) * 0.1) @ plane
        for i, t in enumerate(rng.integers(3, 12, size=90))
    ]


@pytest.mark.parametrize("case", ["subjects", "few in one part", "recordings", "other parts"])
def test_graphs_of_what_was_searched(sequences: list[np.ndarray], case: str, tmp_path) -> None:
    rng = np.random.default_rng(2)
    groups = {"subjects": np.arange(90) // 6 % 5, "few in one part": np.minimum(np.arange(90) // 8, 3),
              "recordings": None, "other parts": np.arange(90) % 9}[case]  # fmt: skip
    parts = rng.integers(0, 6, 90) if case == "other parts" else deletion_groups(90, groups=groups)
    matrix = dtw_distances(sequences, dtw=OPTIONS)
    known = nearest_distances(sequences, OPTIONS, k=5, exclude=groups, parts=parts, everyone=True)
    assert not known.complete
    known.save(tmp_path / "known.npz")
    kept = type(known).load(tmp_path / "known.npz")  # computes nothing
    assert kept.mean() == pytest.approx(matrix[np.triu_indices(90, 1)].mean(), rel=1e-4)
    for exclude in (groups, None):
        for size in (5, 3):
            found, expected = (nnk_graph(each, k=size, exclude=exclude) for each in (kept, matrix))
            np.testing.assert_array_equal(found.candidates, expected.candidates)
            np.testing.assert_allclose(found.weights, expected.weights, atol=1e-4)
            anew = [list(graphs_without(Jackknife(parts), each, k=size, exclude=exclude)) for each in (kept, matrix)]
            for (_, a), (_, b) in zip(*anew, strict=True):
                np.testing.assert_array_equal(a.candidates, b.candidates)
                np.testing.assert_allclose(a.weights, b.weights, atol=1e-4)


def test_no_more_than_that(sequences: list[np.ndarray]) -> None:
    groups = np.arange(90) % 6
    known = nearest_distances(sequences, OPTIONS, k=3, exclude=groups)
    with pytest.raises(GraphError, match="everyone"):
        known.nearest(3)
    assert nnk_graph(known, k=3, exclude=groups).kkt_residual.max() < 1e-6
    assert known.reach == 3
    with pytest.raises(GraphError, match="has only"):
        nearest_distances(sequences, OPTIONS, k=76, exclude=groups)
    assert all_or_nearest(sequences, OPTIONS, k=3).complete
    assert not all_or_nearest(sequences, OPTIONS, how_many="neighbours", k=3).complete
