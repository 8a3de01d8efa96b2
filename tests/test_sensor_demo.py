"""The generated sensor network: what is planted in it, and that a small network finds it."""

from __future__ import annotations

import numpy as np
import pytest

from stgcnlib import dtw_distances, fit, load_network, nnk_graph, record, sensor_demo, target_smoothness, transforms
from stgcnlib.demo.sensors import DAY
from stgcnlib.errors import SequenceError
from stgcnlib.explain import grad_cam_set
from stgcnlib.geometry import probe_estimates, r_squared
from stgcnlib.sequences import SequenceSet


def hours(data: SequenceSet) -> SequenceSet:
    return transforms.windows(data, 24, 8, block=DAY, horizon=4, joints=data.layout.limbs["east"])


def test_one_series_on_a_connected_network() -> None:
    data = sensor_demo(days=3)
    assert len(data) == 1
    assert data.coords[0].shape == (3 * DAY, 20, 1)
    assert data.class_names == ()
    reached, edges = {0}, data.layout.bones
    for _ in range(20):
        reached |= {b for a, b in edges if a in reached} | {a for a, b in edges if b in reached}
    assert len(reached) == 20
    places = np.array(data.layout.positions)
    assert (np.diff(places[:, 0]) >= 0).all()
    assert sensor_demo(days=3).fingerprint() == data.fingerprint()
    assert sensor_demo(days=3, seed=1).fingerprint() != data.fingerprint()


def test_what_comes_east_was_farther_west_before() -> None:
    """The last frame at all sensors tells the next hour better than the east's own sensors do."""
    cut = hours(sensor_demo())
    last = np.stack([c[-1, :, 0] for c in cut.coords])
    east = list(cut.layout.limbs["east"])
    y, blocks = cut.targets, cut.groups["block"]
    assert y is not None
    everywhere = r_squared(y, probe_estimates(last, y, groups=blocks))
    own = r_squared(y, probe_estimates(last[:, east], y, groups=blocks))
    assert 1 - everywhere < 0.6 * (1 - own)


@pytest.mark.parametrize("size", [{"sensors": 5}, {"days": 0}, {"seed": -1}, {"noise": -0.1}, {"days": 1.5}])
def test_wrong_sizes(size: dict[str, object]) -> None:
    with pytest.raises(SequenceError, match="sensor_demo"):
        sensor_demo(**size)  # type: ignore[arg-type]


def test_a_small_network_learns_it_and_looks_upwind() -> None:
    cut = hours(sensor_demo(days=16))
    train, _ = cut.split("block", range(12))
    train, test = transforms.standardize(cut, like=train).split("block", range(12))
    network = load_network(
        "st-gcn", layout=cut.layout, classes=1, channels=1, width=8, strategy="uniform", seed=0
    )  # fmt: skip
    result = fit(network, train, test, epochs=14, learning_rate=0.01, batch_size=12, augment=False)
    assert result.r2 > 0.6
    assert np.isnan(result.accuracy)
    assert list(result.history.columns) == ["epoch", "train_loss", "train_r2", "test_r2", "seconds"]
    store = record(network, test)
    last = store.layers[-1]
    y, blocks = test.targets, test.groups["block"]
    assert y is not None
    at_input, at_last = (
        target_smoothness(nnk_graph(dtw_distances(store[name]), k=10, exclude=blocks), y) for name in ("input", last)
    )
    assert at_last < 0.75 * at_input
    maps = grad_cam_set(network, test.select(range(6)), layers=[last], signed=True)
    assert maps[0][last].target == 0
    order = np.argsort(y[:, 0])
    shown = grad_cam_set(network, test.select(np.r_[order[:5], order[-5:]]), layers=[last], signed=True)
    sums = [float(m[last].values.sum()) for m in shown]
    assert np.mean(sums[5:]) > np.mean(sums[:5])  # what speaks for a larger value is stronger where it is large
