"""ds_graph computes few distances, and gives the graph of all of them."""

from __future__ import annotations

import numpy as np
import pytest

from stgcnlib.dsgraph import ds_graph, knn_graph, nnk_graph
from stgcnlib.dtw import dtw_distances
from stgcnlib.dtw.refine import PairCache


@pytest.fixture
def sequences(rng):
    plane = rng.normal(size=(3, 90))
    centres = rng.normal(size=(6, 3)) * 8
    return [
        (centres[i % 6] + rng.normal(size=3) + rng.normal(size=(t, 3)).cumsum(axis=0) * 0.1) @ plane
        + rng.normal(size=(t, 90)) * 0.02
        for i, t in enumerate(rng.integers(3, 14, size=60))
    ]


@pytest.mark.parametrize("sigma", ["mean-kth/3", "per-node", "pynnk", 2.5])
def test_same_graph_as_of_all_distances(sequences, sigma):
    subjects = np.arange(60) % 4
    distances = dtw_distances(sequences, window=4)
    for exclude in (None, subjects):
        graph = ds_graph(sequences, k=6, sigma=sigma, exclude=exclude, window=4)
        expected = nnk_graph(distances, k=6, sigma=sigma, exclude=exclude)
        np.testing.assert_array_equal(graph.candidates, expected.candidates)
        np.testing.assert_allclose(graph.candidate_distances, expected.candidate_distances, rtol=2e-5)
        np.testing.assert_allclose(graph.sigma, expected.sigma, rtol=2e-5)
        np.testing.assert_allclose(graph.weights, expected.weights, atol=1e-3)
        assert graph.kkt_residual.max() < 1e-6
    near = ds_graph(sequences, k=6, kind="knn", sigma=sigma, window=4)
    np.testing.assert_allclose(near.weights, knn_graph(distances, k=6, sigma=sigma).weights, rtol=1e-3)


def test_only_distances_among_candidates(sequences, monkeypatch):
    caches = []
    kept = PairCache.__init__
    monkeypatch.setattr(PairCache, "__init__", lambda self, *a, **o: (caches.append(self), kept(self, *a, **o))[1])
    graph = ds_graph(sequences, k=6, window=4)
    for own in graph.candidates:
        assert caches[0].known.knows(own[:, None], own).all()
    assert caches[0].computed < 0.5 * 60 * 59 / 2
