"""Figures on a graph that is no body: nodes stay in their places and show what they carry."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.spatial.distance import pdist, squareform

from stgcnlib import figures
from stgcnlib.dsgraph import nnk_graph
from stgcnlib.figures.graph import node_positions, signal_scale
from stgcnlib.figures.skeleton import grouped_joints, project
from stgcnlib.networks.graph import hop_distance
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout, graph_layout

LADDER = [(k, k + 1) for k in range(9) if k != 4] + [(k, k + 5) for k in range(5)]


@pytest.fixture(params=["placed", "unplaced"])
def ladder(request: pytest.FixtureRequest) -> SkeletonLayout:
    places = [(k % 5, k // 5) for k in range(10)] if request.param == "placed" else None
    return graph_layout("ladder", LADDER, positions=places)


@pytest.fixture
def data(ladder: SkeletonLayout, rng: np.random.Generator) -> SequenceSet:
    coords = [rng.normal(size=(int(t), 10, 2)) for t in rng.integers(9, 15, 12)]
    return SequenceSet(coords, labels=np.arange(12) % 3, class_names=["jam", "rain", "a $ b"], layout=ladder)


def test_positions_are_those_given_or_follow_the_edges(ladder: SkeletonLayout) -> None:
    places = node_positions(ladder)
    assert places.shape == (10, 2)
    hops = hop_distance(ladder)
    apart = squareform(pdist(places))
    assert np.corrcoef(apart[hops > 0], hops[hops > 0])[0, 1] > 0.9
    np.testing.assert_array_equal(node_positions(ladder), places)
    brain = graph_layout("brain", [(0, 1)], positions=[(1, 2, 3), (4, 5, 6)])
    np.testing.assert_array_equal(node_positions(brain), [[1, 2], [4, 5]])
    parted = graph_layout("parted", [(0, 1), (2, 3)])
    assert np.isfinite(node_positions(parted)).all()
    assert pdist(node_positions(parted)).min() > 0.1


def test_nodes_stay_where_they_are(data: SequenceSet) -> None:
    points = project(data.coords[0], data.layout)
    assert points.shape == (len(data.coords[0]), 10, 2)
    np.testing.assert_array_equal(points[0], points[-1])


def test_one_scale_for_all_recordings_holds_nearly_all_values(data: SequenceSet) -> None:
    scale = signal_scale(data)
    values = np.concatenate([c[..., 0].ravel() for c in data.coords])
    assert 0.97 < np.mean((values >= scale.vmin) & (values <= scale.vmax)) < 1
    flat = data.with_coords([np.ones((3, 10, 2))] * 12)
    assert signal_scale(flat).vmin < signal_scale(flat).vmax


def test_nodes_without_groups_are_one_group() -> None:
    assert grouped_joints(graph_layout("pair", [(0, 1)]))[1] == [("joints", 0, 2)]
    grouped = graph_layout("pair", [(0, 1)], groups={"west": [1]})
    assert grouped_joints(grouped) == ([1, 0], [("west", 0, 1), ("other", 1, 2)])


@pytest.mark.parametrize("name", ["poses", "neighbors_of", "skeleton_strip", "joint_time_maps", "class_joint_heatmap"])
def test_figures_draw_without_warning(name: str, data: SequenceSet, rng: np.random.Generator) -> None:
    values = np.abs(rng.normal(size=(1, len(data.coords[0]), 10))).astype(np.float32)
    maps = {"blocks.0": SimpleNamespace(values=values, title="blocks.0")}
    points = rng.normal(size=(12, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        match name:
            case "poses":
                figure = figures.poses(data)
            case "neighbors_of":
                figure = figures.neighbors_of(nnk_graph(squareform(pdist(points)), k=4), 1, data)
            case "skeleton_strip":
                figure = figures.skeleton_strip(data.coords[0], data.layout, maps)
            case "joint_time_maps":
                figure = figures.joint_time_maps(maps, data.layout)
            case _:
                figure = figures.class_joint_heatmap(np.full((3, 10), 0.1), data.class_names, data.layout)
        FigureCanvasAgg(figure).draw()
    assert isinstance(figure, Figure)
    assert sum(len(ax.collections) + len(ax.images) for ax in figure.axes) > 0
