"""The topology that BlockGCN reads: spanning trees against scipy's, and the features against a loop."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist

from stgcnlib.networks.blockgcn import Topology, spanning_tree_lengths


@given(joints=st.integers(1, 12), seed=st.integers(0, 10_000))
def test_spanning_trees_are_scipys(joints: int, seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(3, joints, 2))
    distances = np.stack([cdist(each, each) for each in points])
    found = spanning_tree_lengths(torch.from_numpy(distances)).numpy()
    assert found.shape == (3, joints - 1)
    for ours, theirs in zip(found, distances, strict=True):
        np.testing.assert_allclose(np.sort(ours), np.sort(minimum_spanning_tree(theirs).data), rtol=1e-12)


def test_features_by_a_loop(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 5, 6, 2))
    topology = Topology().double()
    found = topology(torch.from_numpy(x)).detach().numpy()
    centres, sharpness = (p.detach().numpy() for p in (topology.pl.centres, topology.pl.sharpness))
    for n, recording in enumerate(x):
        pose = recording.mean(axis=(1, 3)).T
        rows = cdist(pose, pose) / cdist(pose, pose).max()
        lengths = minimum_spanning_tree(cdist(rows, rows)).data
        for element in range(len(centres)):
            (a, b), (s, t) = centres[element], sharpness[element]
            expected = sum(np.exp(-((a * s) ** 2) - ((b - length) * t) ** 2) for length in lengths)
            np.testing.assert_allclose(found[n, element], expected, rtol=1e-10)


def test_size_and_place_do_not_matter(rng: np.random.Generator) -> None:
    x = torch.from_numpy(rng.normal(size=(1, 3, 5, 6, 1)))
    topology = Topology().double()
    torch.testing.assert_close(topology(3 * x + 7), topology(x))
    assert torch.isfinite(topology(torch.zeros_like(x))).all()
