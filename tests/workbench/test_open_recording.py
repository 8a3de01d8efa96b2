"""An opened recording: its neighbours are the graph's, aligned as DTW does, and costs are those of its layer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_study import small_study

from stgcnlib.dtw import dtw_path, local_costs
from stgcnlib.errors import SequenceError
from stgcnlib.pipeline import FinishedStudy, read_study
from stgcnlib.workbench.recordings import local_costs_shown, open_recording, relevance_of


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> FinishedStudy:
    return read_study(small_study(tmp_path_factory))


@pytest.mark.parametrize("place", [0, 1, -1])
def test_neighbours_are_those_of_the_graph_by_weight(study: FinishedStudy, place: int) -> None:
    layer, geometry = study["layers"][place]["name"], study["geometry"]
    graph, distances = geometry.graphs[(layer, "trained", geometry.neighbours)], study[f"distances/trained/{layer}"]
    for node in range(0, len(study["nodes"]), 7):
        reply = open_recording(study, node, layer=layer)
        shown = [(each["node"], each["weight"]) for each in reply["neighbours"]]
        wanted = [(int(j), float(w)) for j, w in zip(graph.candidates[node], graph.weights[node], strict=True) if w > 0]
        assert sorted(shown) == sorted(wanted)[: len(shown)] if len(wanted) <= 5 else set(shown) <= set(wanted)
        assert [weight for _, weight in shown] == sorted((w for _, w in wanted), reverse=True)[:5]
        for each in reply["neighbours"]:
            assert each["distance"] == pytest.approx(float(distances.get(node, each["node"])), rel=1e-6)
            assert each["frames"] == study["nodes"].lengths[each["node"]]


def test_each_frame_has_an_aligned_frame_of_each_neighbour(study: FinishedStudy) -> None:
    nodes, layer = study["nodes"], study["layers"][-1]["name"]
    reply = open_recording(study, 3, layer=layer)
    path, others = reply["player"]["path"], [each["node"] for each in reply["neighbours"]]
    assert path.shape == (nodes.lengths[3], 1 + len(others))
    np.testing.assert_array_equal(path[:, 0], np.arange(nodes.lengths[3]))
    for k, other in enumerate(others, start=1):
        assert (np.diff(path[:, k].astype(int)) >= 0).all()
        assert path[-1, k] <= nodes.lengths[other] - 1
    assert [body["title"].split(":")[0] for body in reply["player"]["bodies"]] == [nodes.names[k] for k in [3, *others]]


def test_a_recording_beside_itself_is_aligned_frame_by_frame(study: FinishedStudy) -> None:
    from stgcnlib.workbench.recordings import _aligned

    features = study["activations/trained"]["input"]
    path, costs = _aligned(features, 2, [2], study["nodes"].lengths, study["dtw"])
    assert path is not None
    np.testing.assert_array_equal(path[:, 0], path[:, 1])
    np.testing.assert_array_equal(costs[0]["path"][:, 0], costs[0]["path"][:, 1])


def test_costs_are_those_that_the_distance_adds_up(study: FinishedStudy) -> None:
    layer, options = study["layers"][-1]["name"], study["dtw"]
    reply = open_recording(study, 0, layer=layer)
    other, features = reply["neighbours"][0]["node"], study["activations/trained"][layer]
    there = options.at_temporal_stride(features.temporal_stride)
    costs = local_costs(features.sequence(0), features.sequence(other), dtw=there)
    shown = reply["costs"][0]
    assert (shown["rows"], shown["columns"]) == costs.shape  # short recordings are shown item by item
    assert (shown["low"], shown["high"]) == pytest.approx((costs.min(), costs.max()))
    values = shown["low"] + shown["values"] / 255 * (shown["high"] - shown["low"])
    np.testing.assert_allclose(values, costs, atol=(shown["high"] - shown["low"]) / 255)
    path, cost = dtw_path(features.sequence(0), features.sequence(other), dtw=there)
    np.testing.assert_array_equal(shown["path"], path)
    assert cost == pytest.approx(reply["neighbours"][0]["distance"], rel=1e-5)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.integers(0, 1000))
def test_a_reduced_picture_has_the_means_of_its_blocks(n: int, m: int, cells: int, seed: int) -> None:
    costs = np.random.default_rng(seed).random((n, m))
    steps = max(n, m)
    path = np.stack([np.linspace(0, n - 1, steps).round(), np.linspace(0, m - 1, steps).round()], axis=1).astype(int)
    shown = local_costs_shown(costs, path, cells)
    rows, columns = shown["rows"], shown["columns"]
    assert (rows, columns) == (min(n, cells), min(m, cells))
    means = np.array([
        [costs[[i for i in range(n) if i * rows // n == r]][:, [j for j in range(m) if j * columns // m == c]].mean()
         for c in range(columns)] for r in range(rows)
    ])  # fmt: skip
    span = means.max() - means.min()
    np.testing.assert_allclose(
        shown["low"] + shown["values"] / 255 * (shown["high"] - shown["low"]), means, atol=span / 255 + 1e-12
    )
    blocks = shown["path"].astype(int)
    assert blocks[0].tolist() == [0, 0]
    assert blocks[-1].tolist() == [rows - 1, columns - 1]
    assert (np.diff(blocks, axis=0).any(axis=1)).all()


def test_relevance_is_stored_absent_or_of_no_layer_and_can_be_computed(study: FinishedStudy) -> None:
    explained = set(study["explained"].tolist())
    stored, absent = min(explained), min(set(range(len(study["nodes"]))) - explained)
    last = study["layers"][-1]["name"]
    assert open_recording(study, stored, layer=last)["relevance"] == "stored"
    assert open_recording(study, stored, layer="input")["relevance"] == "input"
    assert open_recording(study, absent, layer=last)["relevance"] == "absent"
    assert open_recording(study, stored, layer=last, network="untrained")["relevance"] == "unexplained"
    made = relevance_of(study, absent)
    reply = open_recording(study, absent, layer=last, maps={absent: made})
    assert reply["relevance"] == "stored"
    elsewhere = open_recording(study, absent, layer=last, network="untrained", maps={absent: made})
    assert elsewhere["player"]["bodies"][0]["maps"] == []  # relevance of one network is not shown on another
    levels = reply["player"]["bodies"][0]["maps"][0]
    values = made[last].values
    np.testing.assert_allclose(levels / 255, values / max(values.max(), 1e-12), atol=0.003)
    again = relevance_of(study, stored)
    kept = dict(zip(study["explained"].tolist(), study["maps"], strict=True))[stored]
    np.testing.assert_array_equal(again[last].values, kept[last].values)


def test_a_recording_that_is_not_there_is_refused(study: FinishedStudy) -> None:
    with pytest.raises(SequenceError, match="no recording 999"):
        open_recording(study, 999, layer="input")
