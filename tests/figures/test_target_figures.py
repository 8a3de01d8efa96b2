"""Pictures of real targets: what they show of planted data, and what they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from stgcnlib import figures, sensor_demo, transforms
from stgcnlib.dsgraph import DSGraph, nnk_graph
from stgcnlib.errors import GraphError, SequenceError
from stgcnlib.sequences import SequenceSet
from stgcnlib.training import TargetEvaluation


@pytest.fixture(scope="module")
def parts() -> tuple[SequenceSet, SequenceSet]:
    series = sensor_demo(sensors=8, days=6)
    data = transforms.windows(series, 24, 24, block=96, horizon=4, joints=[6, 7], target_name="in the east (g/m³)")
    return data.split("block", [0, 1, 2, 3])


@pytest.fixture
def line() -> tuple[DSGraph, np.ndarray, np.ndarray]:
    """Recordings on a line whose target is their place."""
    y = np.arange(30.0)
    distances = cdist(y[:, None], y[:, None])
    return nnk_graph(distances, k=4), y, distances


def test_spread_has_both_parts_and_every_block(parts: tuple[SequenceSet, SequenceSet]) -> None:
    figure = figures.target_spread(parts)
    left, right = figure.axes
    train, test = parts
    assert [text.get_text() for text in left.get_legend().get_texts()] == [
        f"train ({len(train)})",
        f"test ({len(test)})",
    ]
    assert left.get_xlabel() == "in the east (g/m³)"
    assert right.get_xlabel() == "block"
    first, second = (np.asarray(points.get_offsets()) for points in right.collections)
    np.testing.assert_allclose(first[:, 1], train.targets[:, 0])  # type: ignore[index]
    assert set(first[:, 0]) == {0, 1, 2, 3}
    assert set(second[:, 0]) == {4, 5}


def test_without_groups_there_is_one_picture(parts: tuple[SequenceSet, SequenceSet]) -> None:
    alone = SequenceSet(parts[0].coords, layout=parts[0].layout, targets=parts[0].targets)
    assert len(figures.target_spread({"all": alone}).axes) == 1
    with pytest.raises(SequenceError, match="no targets"):
        figures.target_spread({"all": SequenceSet(parts[0].coords, layout=parts[0].layout)})


def test_recordings_from_low_to_high(parts: tuple[SequenceSet, SequenceSet]) -> None:
    figure = figures.target_recordings(parts[0])
    titles = [ax.get_title(loc="left") for ax in figure.axes[:3]]
    y = parts[0].targets[:, 0]  # type: ignore[index]
    assert titles[0] == f"lowest: {y.min():.3g}, {parts[0].names[int(y.argmin())]}"
    assert titles[2].startswith(f"highest: {y.max():.3g}")


def test_estimates_against_targets() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=(40, 2))
    found = TargetEvaluation(y + np.array([0.0, 0.5]), y, ("a (m)", "b (s)"), np.zeros(2), np.ones(2))
    first, second = figures.target_estimates(found).axes
    assert "R² 1.00, mean absolute error 0" in first.get_title(loc="left")
    assert second.get_xlabel() == "b (s)"
    points = np.asarray(second.collections[0].get_offsets())
    np.testing.assert_allclose(points[:, 1] - points[:, 0], 0.5)
    assert first.get_xlim() == first.get_ylim()


@pytest.mark.parametrize(("last", "bottom"), [(0.4, 0.0), (-0.3, -0.3), (-5.0, -1.0)])
def test_training_curves_of_negative_r2_can_be_seen(last: float, bottom: float) -> None:
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [1.0, 0.5], "train_r2": [0.1, 0.6], "test_r2": [0.0, last]})
    ax = figures.training_curves(history).axes[1]
    assert ax.get_ylim() == (bottom, 1.02)
    assert [text.get_text() for text in ax.texts] == ["train 0.60", f"test {last:.2f}"]
    assert ax.texts[1].xy[1] == pytest.approx(max(last, -1))
    several = pd.concat([history.assign(network="a", test_r2=0.2), history.assign(network="b")])
    assert figures.training_curves(several).axes[1].get_ylim()[0] == bottom  # of the thin lines, too


def statistics(name: str, values: list[float], null: float = np.nan) -> pd.DataFrame:
    rows = [
        {"index": i, "title": f"layer {i}", "network": "trained", "statistic": name, "value": v, "low": v - 0.05,
         "high": v + 0.05, "null_mean": null} for i, v in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("values", "null", "bottom"),
    [([0.4, 0.6], 0.1, 0.0), ([0.4, 0.6], -0.7, -0.7), ([-0.2, -0.1], -0.1, -0.25), ([-3.0, -4.0], -5.0, -1.0)],
)
def test_negative_r2_of_layers_and_of_shuffled_targets_can_be_seen(
    values: list[float], null: float, bottom: float
) -> None:
    low, high = figures.statistics_curves(statistics("knn_r2", values, null)).axes[0].get_ylim()
    assert low == pytest.approx(bottom)
    assert high >= 0  # what always estimating the mean reaches


def test_negative_likeness_is_drawn_and_counts_begin_at_0() -> None:
    def bottom(name: str, values: list[float]) -> float:
        return float(figures.statistics_curves(statistics(name, values)).axes[0].get_ylim()[0])

    assert bottom("cka_untrained", [0.6, -0.2]) < -0.25
    assert bottom("cka_untrained", [0.6, 0.06]) == 0
    assert bottom("neighbor_count", [9.0, 0.2]) == 0
    assert bottom("knn_accuracy", [0.2, 0.01]) == 0


def test_neighbours_of_a_smooth_target_lie_on_the_line(line: tuple[DSGraph, np.ndarray, np.ndarray]) -> None:
    graph, y, _ = line
    (ax,) = figures.neighbor_targets(graph, y, name="place").axes
    points = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(points[2:-2, 0], points[2:-2, 1], atol=0.6)
    assert ax.get_xlabel() == "place"


def test_map_is_coloured_by_target(line: tuple[DSGraph, np.ndarray, np.ndarray]) -> None:
    graph, y, distances = line
    figure = figures.target_map(graph, y[:, None], name="place", distances=distances)
    points = figure.axes[0].collections[-1]
    np.testing.assert_array_equal(np.asarray(points.get_array()), y)
    assert "target smoothness 0.0" in figure.axes[0].get_title(loc="left")
    with pytest.raises(GraphError, match="needs distances"):
        figures.target_map(graph, y)
    with pytest.raises(GraphError, match="shape"):
        figures.target_map(graph, y, embedding=np.zeros((3, 2)))
    with pytest.raises(GraphError, match="30 nodes"):
        figures.target_map(graph, y[:5], distances=distances)


def test_distances_are_sorted_by_target(line: tuple[DSGraph, np.ndarray, np.ndarray]) -> None:
    _, y, distances = line
    order = np.random.default_rng(1).permutation(30)
    figure = figures.target_distances(distances[np.ix_(order, order)], y[order], name="place", title="input")
    shown = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_array_equal(shown, distances)
    assert figure.axes[0].get_xticklabels()[0].get_text() == "0"
    with pytest.raises(GraphError, match=r"expected \(N, N\) and \(N,\)"):
        figures.target_distances(distances[:4], y)
