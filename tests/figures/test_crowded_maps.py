"""Maps of more recordings than can be told apart: few edges, small points, and a title that says what is left out."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection

from stgcnlib import figures
from stgcnlib.dsgraph import DSGraph
from stgcnlib.figures import graph_map

COUNT, CLASSES = 600, 4


@pytest.fixture
def graph() -> DSGraph:
    """Recordings in a ring, each joined with the next three; classes 0 and 1 are runs, 2 and 3 alternate."""
    candidates = (np.arange(COUNT)[:, None] + [1, 2, 3]) % COUNT
    weights = np.random.default_rng(0).uniform(0.1, 1, size=(COUNT, 3))
    return DSGraph(candidates, np.ones((COUNT, 3)), weights / weights.sum(axis=1, keepdims=True), 1.0, np.zeros(COUNT))


@pytest.fixture
def labels() -> np.ndarray:
    alternating = 2 + np.arange(COUNT // 2) % 2
    alternating[::3] = 2  # neither class keeps half of its edge weight: class 3 never does
    return np.concatenate([np.repeat([0, 1], COUNT // 4), alternating])


def ring() -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, COUNT, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def drawn(graph: DSGraph, labels: np.ndarray) -> tuple[str, int, int, list[str]]:
    """Title, edges, scatter plots and names on the map."""
    figure = figures.ds_graph_map(graph, labels, ["a", "b", "c", "d"], embedding=ring())
    (ax,) = figure.axes
    edges = [each for each in ax.collections if isinstance(each, LineCollection)]
    points = [each for each in ax.collections if isinstance(each, PathCollection)]
    assert sum(len(each.get_offsets()) for each in points) == COUNT
    names = [text.get_text() for text in ax.texts]
    return ax.get_title(loc="left"), sum(len(each.get_segments()) for each in edges), len(points), names


def test_a_map_that_is_not_crowded_shows_all(graph: DSGraph, labels: np.ndarray) -> None:
    title, edges, points, names = drawn(graph, labels)
    assert edges == 3 * COUNT
    assert (points, names) == (CLASSES, ["a", "b", "c", "d"])
    assert "\n" not in title


def test_a_crowded_map_says_what_it_leaves_out(
    graph: DSGraph, labels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_map, "CROWDED", COUNT - 1)
    monkeypatch.setattr(graph_map, "_EDGES", 100)
    title, edges, points, names = drawn(graph, labels)
    assert (edges, points) == (100, 1)
    assert "Drawn: the 100 heaviest of 1,800 pairs." in title
    assert names == ["a", "b", "c"]
    assert "Named: the 3 classes that keep at least half of the edge weight." in title
    title, *_, names = drawn(graph, np.arange(COUNT) % CLASSES)
    assert names == []
    assert "Named: none, since no class keeps at least half of the edge weight." in title


def test_the_edges_that_are_drawn_are_the_heaviest(graph: DSGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_map, "CROWDED", COUNT - 1)
    monkeypatch.setattr(graph_map, "_EDGES", 50)
    i, j, weight, count = graph_map.heaviest_pairs(graph)
    every = np.sort(graph.undirected().toarray()[np.triu_indices(COUNT, 1)])
    assert (len(i), count) == (50, 1800)
    assert (i < j).all()
    np.testing.assert_array_equal(np.sort(weight), every[-50:])


def test_a_crowded_map_of_a_target_keeps_its_colours(graph: DSGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.linspace(0, 1, COUNT)
    monkeypatch.setattr("stgcnlib.figures.targets.CROWDED", COUNT - 1)
    figure = figures.target_map(graph, values, embedding=ring())
    points = figure.axes[0].collections[-1]
    places = np.asarray(points.get_offsets())
    order = np.argsort(np.arctan2(places[:, 1], places[:, 0]) % (2 * np.pi))
    assert len(points.get_facecolors()) == COUNT
    brightness = points.get_facecolors()[order, :3].sum(axis=1)
    assert np.abs(np.diff(brightness)).max() < 0.2  # neighbours in the ring have like values, so like colours
    assert len(figure.axes) == 2  # and a colour bar
