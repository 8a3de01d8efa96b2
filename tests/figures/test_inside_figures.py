"""What a layer sees and puts together: pictures and facts of planted fields and topologies."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection

from stgcnlib import figures, tables
from stgcnlib.explain import ReceptiveField, Topology
from stgcnlib.networks.graph import hop_distance
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout, graph_layout, layout

BODY = layout("ntu-rgb+d")


def recordings(of: SkeletonLayout) -> SequenceSet:
    rng = np.random.default_rng(0)
    return SequenceSet([rng.normal(size=(5, len(of), 3)) + 1], layout=of)


def topology(of: SkeletonLayout, *, link: tuple[int, int] | None) -> Topology:
    """Each joint takes alike from itself and along bones, but the second of the link takes 70% from the first."""
    used = (hop_distance(of) <= 1).astype(np.float64)
    used /= used.sum(axis=0)
    fixed = used.copy()
    if link is not None:
        used[:, link[1]] *= 0.3
        used[link] = 0.7
    return Topology("net.1", "layer 1", 1, fixed, used, 0.25 if link else 0.0)


def field(of: SkeletonLayout, *, bounded: bool = True, rows: int | None = None) -> ReceptiveField:
    joints = np.eye(len(of)) if rows is None else np.full((rows, len(of)), 1 / len(of))
    profile = np.array([0.0, 0.1, 0.8, 0.1, 0.0])[1:-1]
    return ReceptiveField("net.1", "layer 1", 1, 2, 3 if bounded else 0, 64, 3, profile, -1, joints, 0.9)


@pytest.mark.parametrize("of", [BODY, layout("coco-17"), graph_layout("ring", [(0, 1), (1, 2), (2, 0)])])
def test_figures_draw_without_warning(of: SkeletonLayout) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for link in (None, (0, 2)):
            FigureCanvasAgg(figures.learned_topology(topology(of, link=link), recordings(of))).draw()
        for found in (field(of), field(of, bounded=False), field(of, rows=1)):
            FigureCanvasAgg(figures.receptive_field(found, of)).draw()


def test_the_strongest_link_is_drawn_between_its_joints() -> None:
    hand, head = BODY.index("left hand"), BODY.index("head")
    data = recordings(BODY)
    figure = figures.learned_topology(topology(BODY, link=(hand, head)), data)
    matrix, body = figure.axes[:2]
    _, links = (each for each in body.collections if isinstance(each, LineCollection))
    (line,) = links.get_segments()
    frame = data.coords[0][0]
    up = sorted([frame[hand], frame[head]], key=lambda point: point[0])
    assert np.linalg.norm(line[0] - line[1]) <= np.linalg.norm(up[0] - up[1]) + 1e-6
    names = [text.get_text() for text in matrix.get_xticklabels()]
    values = np.asarray(matrix.collections[0].get_array()).reshape(25, 25)
    assert values[names.index("head"), names.index("left hand")] == pytest.approx(0.7)
    assert "no bones" in body.get_title("center")
    bare = figures.learned_topology(topology(BODY, link=None), data)
    assert bare.axes[1].get_title("center") == "No links but bones"


def test_what_is_seen_is_written_above() -> None:
    assert (
        figures.receptive_field(field(BODY), BODY).axes[0].get_title("left") == "Influence of 3 frames, 90% of it in 3"
    )
    unbounded = figures.receptive_field(field(BODY, bounded=False), BODY)
    assert unbounded.axes[0].get_title("left").startswith("Influence of all frames")
    joints = figures.receptive_field(field(BODY), BODY).axes[1]
    assert [patch.get_height() for patch in joints.patches][:2] == [1.0, 0.0]  # each joint sees itself only
    assert "not told apart" in figures.receptive_field(field(BODY, rows=1), BODY).axes[1].texts[0].get_text()


def test_facts_in_words() -> None:
    hand, head = BODY.index("left hand"), BODY.index("head")
    found = {"net.1": topology(BODY, link=(hand, head))}
    facts = tables.topology_facts(found, BODY, layer="net.1")["value"]
    assert facts["largest share between joints without a bone"] == "head takes 70% from left hand"
    assert facts["from further away"] == "3%"
    assert facts["share of weight that changes between recordings"] == "25%"
    plain = tables.topology_facts({"net.1": topology(BODY, link=None)}, BODY, layer="net.1")["value"]
    assert list(plain.index) == ["from the joint itself", "along bones", "from two bones away", "from further away"]
    assert tables.topology_facts(found, BODY, layer="input") is None
    seen = tables.field_facts({"net.1": field(BODY)}, layer="net.1")["value"]
    assert seen["input frames that can change a feature"] == "3"
    assert seen["input joints that can change a joint's feature"] == "1 of 25"
    assert tables.field_facts({"net.1": field(BODY, bounded=False)}, layer="net.1")["value"].iloc[1].startswith("all")
    assert tables.field_facts({}, layer="input") is None
