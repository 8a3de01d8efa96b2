"""Graphs that are no bodies: layouts, files, preparation and networks do without a centre, a spine or a left side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stgcnlib import transforms
from stgcnlib.errors import LayoutError, SequenceError
from stgcnlib.networks import load_network
from stgcnlib.readers import read
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import LAYOUTS, SkeletonLayout, graph_layout
from stgcnlib.training import fit

EDGES = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)]


@pytest.fixture
def ring() -> SkeletonLayout:
    return graph_layout("ring", EDGES, positions=np.eye(5)[:, :2].tolist())


@pytest.fixture
def signals(ring: SkeletonLayout, rng: np.random.Generator) -> SequenceSet:
    """Six recordings of two channels on very different scales, one of them silent."""
    coords = [rng.normal([80, 0.3], [10, 0.1], (int(t), 5, 2)) for t in rng.integers(8, 14, 5)]
    coords.append(np.zeros((9, 5, 2)))
    return SequenceSet(coords, labels=[0, 1] * 3, groups={"day": [1, 1, 2, 2, 3, 3]}, layout=ring)


def test_names_positions_and_groups() -> None:
    plain = graph_layout("ring", EDGES)
    assert plain.joints == ("joint 0", "joint 1", "joint 2", "joint 3", "joint 4")
    assert (plain.bones, plain.centre, plain.dimensions, plain.positions) == (tuple(EDGES), None, 0, None)
    full = graph_layout(
        "brain", [(0, 1)], names=["V1", "M1"], positions=np.ones((2, 3)), groups={"visual": [0], "motor": np.array([1])}
    )
    assert full.index("M1") == 1
    assert full.limbs == {"visual": (0,), "motor": (1,)}
    assert len(graph_layout("loose", [(0, 1)], positions=[(0, 0), (1, 1), (2, 2)])) == 3
    for known in (plain, full, *LAYOUTS.values()):
        assert SkeletonLayout.from_dict(json.loads(json.dumps(known.to_dict()))) == known


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"edges": [(0, 1), (1, 0)]}, r"edges \(0, 1\), \(1, 0\) are given twice"),
        ({"edges": [(0, 0)]}, "joins a joint to itself"),
        ({"edges": [(0, 5)], "names": ["a", "b"]}, r"indices \[5\] do not exist"),
        ({"edges": [0, 1]}, "edges are pairs of joint indices"),
        ({"edges": [(0, 1, 2)]}, "edges are pairs of joint indices"),
        ({"positions": [(0, 0)], "names": list("abcde")}, "positions hold 1 places of .* for 5 joints"),
        ({"positions": [(0, 0)] * 4 + [(0, 0, 0)]}, r"places of \[2, 3\] numbers"),
        ({"positions": [(0,)] * 5}, r"places of \[1\] numbers"),
        ({"groups": {"west": [9]}}, r"\[9\] do not exist"),
        ({"names": list("aabcd")}, r"names repeat \(a\)"),
    ],
)
def test_wrong_graphs(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        graph_layout("mine", **{"edges": EDGES, **changes})


def test_a_set_with_its_own_layout_goes_through_a_file(signals: SequenceSet, tmp_path: Path) -> None:
    signals.save(tmp_path / "signals.npz")
    again = read(tmp_path / "signals.npz")
    assert again.layout == signals.layout
    assert again.fingerprint() == signals.fingerprint()
    np.testing.assert_array_equal(again.coords[5], 0)  # silence is no absence


def test_files_and_fingerprints_of_bodies_are_as_before(small_set: SequenceSet) -> None:
    assert "positions" not in small_set.layout.to_dict()


def test_standardize_centres_and_scales_each_channel(signals: SequenceSet) -> None:
    made = transforms.standardize(signals)
    values = np.concatenate([c.reshape(-1, 2) for c in made.coords])
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(values.std(axis=0), 1, rtol=1e-5)
    part = signals.select([0, 1])
    by_all = transforms.standardize(part, like=signals)
    np.testing.assert_allclose(by_all.coords[1], made.coords[1], rtol=1e-6)
    again = transforms.standardize(made)
    np.testing.assert_allclose(again.coords[0], made.coords[0], atol=1e-5)


def test_standardize_leaves_absent_people_and_constant_channels(rng: np.random.Generator) -> None:
    pair = rng.normal(5, 2, (2, 9, 20, 3))
    pair[1, 4:] = 0
    pair[0, :, :, 2] = pair[1, :4, :, 2] = 7
    data = SequenceSet([pair], layout="kinect-v1")
    made = transforms.standardize(data).coords[0]
    assert not made[1, 4:].any()
    assert made[1, :4, :, :2].all()
    np.testing.assert_array_equal(made[0, :, :, 2], 0)
    present = np.concatenate([made[0].reshape(-1, 3), made[1, :4].reshape(-1, 3)])
    np.testing.assert_allclose(present.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(present[:, :2].std(axis=0), 1, rtol=1e-5)
    with pytest.raises(SequenceError, match="like has 2 channels, the recordings have 3"):
        transforms.standardize(data, like=data.with_coords([pair[..., :2]]))


@pytest.mark.parametrize("name", ["normalize", "centre", "mirror"])
def test_what_needs_a_body_says_so(signals: SequenceSet, name: str) -> None:
    with pytest.raises(SequenceError, match=r"layout 'ring' is a graph of signals.*transforms\.standardize"):
        getattr(transforms, name)(signals)


def test_noise_goes_on_all_channels(signals: SequenceSet) -> None:
    quiet, noisy = signals.select([0]), transforms.jitter(signals.select([0]), std=0.5, seed=1)
    change = noisy.coords[0] - quiet.coords[0]
    assert change.all()
    assert transforms.face_front(signals) is signals
    assert abs(transforms.scale(quiet, by="unit").coords[0]).max() == pytest.approx(1)


def test_a_body_without_a_centre_is_asked_for_one(small_set: SequenceSet) -> None:
    bare = SkeletonLayout("mine", small_set.layout.joints, small_set.layout.bones)
    with pytest.raises(SequenceError, match="centre: layout 'mine' names neither a spine nor a centre"):
        transforms.normalize(SequenceSet(small_set.coords, layout=bare))


def test_st_gcn_on_a_graph(signals: SequenceSet) -> None:
    with pytest.raises(LayoutError, match=r"'ring' has no centre.*choose strategy 'distance' or 'uniform'"):
        load_network("st-gcn", layout=signals.layout, classes=2, channels=2, width=4, depth=1)
    network = load_network(
        "st-gcn", layout=signals.layout, classes=2, channels=2, width=4, depth=1, strategy="distance", seed=0
    )
    assert network.A.shape == (2, 5, 5)
    before = network.fcn.weight.clone()
    fit(network, transforms.standardize(signals), epochs=2, batch_size=3, progress=False)
    assert not torch.equal(network.fcn.weight, before)
    assert all(torch.isfinite(p).all() for p in network.parameters())
