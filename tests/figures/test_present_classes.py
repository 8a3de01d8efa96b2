"""Figures of classes show those that occur, and say how many others the data name."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.spatial.distance import pdist, squareform

from stgcnlib import figures
from stgcnlib.dsgraph import nnk_graph
from stgcnlib.sequences import SequenceSet
from stgcnlib.tables.targets import told_facts

NAMES = tuple(f"class {c}" for c in range(9))


@pytest.fixture(scope="module")
def data() -> SequenceSet:
    """Recordings of the classes 1, 4 and 7 of nine."""
    coords = np.random.default_rng(0).normal(size=(6, 9, 20, 3))
    return SequenceSet(coords, None, np.repeat([1, 4, 7], 2), NAMES, {"subject": np.tile([1, 2], 3)}, "kinect-v1")


def sides(figure: Figure) -> tuple[list[str], list[str]]:
    """Names of the rows and of the columns."""
    ax = figure.axes[0]
    return [t.get_text() for t in ax.get_yticklabels()], [t.get_text() for t in ax.get_xticklabels()]


def said(figure: Figure) -> str:
    return " ".join(figure.get_supxlabel().split())


def test_confusion_shows_what_is_recorded_or_predicted() -> None:
    counts = np.zeros((9, 9), dtype=int)
    counts[1, 1], counts[4, 6], counts[7, 7] = 3, 2, 5
    evaluation = SimpleNamespace(confusion=lambda: counts, accuracy=0.8, class_names=NAMES)
    figure = figures.confusion(evaluation)
    names = ["class 1", "class 4", "class 6", "class 7"]
    assert sides(figure) == (names, names)
    assert said(figure) == "Not shown: 5 of the 9 named classes, without a test recording and never predicted."
    whole = SimpleNamespace(confusion=lambda: np.eye(9, dtype=int), accuracy=1.0, class_names=NAMES)
    assert said(figures.confusion(whole)) == ""


def test_counts_are_of_classes_with_recordings(data: SequenceSet) -> None:
    figure = figures.class_counts(data)
    assert sides(figure)[0] == ["class 1  (2)", "class 4  (2)", "class 7  (2)"]
    assert said(figure) == "Not shown: 6 of the 9 named classes, without a recording."
    assert told_facts(data) == {"classes": "3 of 9 named"}


def test_edges_are_between_classes_of_the_graph(data: SequenceSet) -> None:
    points = np.arange(6.0)[:, None] + np.repeat([0.0, 9.0, 30.0], 2)[:, None]
    graph = nnk_graph(squareform(pdist(points)), k=2)
    figure = figures.edge_agreement(graph, data.labels, NAMES)
    assert sides(figure) == (["class 1", "class 4", "class 7"],) * 2
    assert said(figure) == "Not shown: 6 of the 9 named classes, without a recording in this graph."
    same = figures.edge_agreement(graph, np.repeat([0, 1, 2], 2), NAMES[:3])
    assert [t.get_text() for t in figure.axes[0].texts] == [t.get_text() for t in same.axes[0].texts]


def test_relevance_is_of_classes_with_maps(data: SequenceSet) -> None:
    values = np.full((9, len(data.layout)), np.nan)
    values[[1, 4]] = 0.05
    figure = figures.class_joint_heatmap(values, NAMES, data.layout)
    assert sides(figure)[0] == ["class 1", "class 4"]
    assert said(figure) == "Not shown: 7 of the 9 named classes, without a recording."
