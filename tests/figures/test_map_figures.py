"""Players' numbers come back as they went in, and figures of checks show what their tables say."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib.demo import demo_sequences
from stgcnlib.errors import SequenceError
from stgcnlib.explain import RelevanceMap
from stgcnlib.figures import faithfulness_areas, faithfulness_curves, randomisation_decay, skeleton_player
from stgcnlib.figures.live import embedded
from stgcnlib.figures.player import aligned_frames
from stgcnlib.sequences import SequenceSet


@pytest.fixture(scope="module")
def data() -> SequenceSet:
    return demo_sequences(subjects=2, repeats=1)


def some_map(data: SequenceSet, i: int, *, signed: bool = False) -> dict[str, RelevanceMap]:
    values = np.random.default_rng(i).random(data.people(i).shape[:3]).astype(np.float32) - 0.5 * signed
    return {"a": RelevanceMap(values, values, "a", 1, "layer 1", 0)}


def test_positions_keep_their_distances_and_their_handedness(data):
    content = skeleton_player(data, 0).content
    points = content["bodies"][0]["points"][0] * content["unit"]
    truth = data.people(0)[0].astype(np.float64)
    for a, b in ((3, 7), (11, 19)):
        expected = np.linalg.norm(truth[:, a] - truth[:, b], axis=-1)
        np.testing.assert_allclose(np.linalg.norm(points[:, a] - points[:, b], axis=-1), expected, atol=2e-3)
    # A mirrored body would swap the sign of this volume.
    corners = [data.layout.index(n) for n in ("spine base", "head", "left shoulder", "right hand")]

    def volume(frames: np.ndarray) -> np.ndarray:
        edges = frames[:, corners[1:]] - frames[:, corners[:1]]
        return np.linalg.det(edges)

    np.testing.assert_allclose(volume(points), volume(truth), atol=5e-3)
    up = points[:, data.layout.index("head"), 2] - points[:, data.layout.index("left foot"), 2]
    assert (up > 0).all()


@pytest.mark.parametrize("turn", [0.0, 1.0, 2.5])
def test_the_viewer_stands_in_front_of_the_people(data, turn):
    c, s = np.cos(turn), np.sin(turn)
    people = data.people(0)[0].astype(np.float64)
    camera = skeleton_player(data, 0).content["bodies"][0]["camera"]
    assert 0 < camera["elevation"] < 45
    # Turn the recording around its vertical axis: the viewer turns with it.
    turned = people.copy()
    up = int(np.ptp(people[0], axis=0).argmax())
    a, b = (up + 1) % 3, (up + 2) % 3
    turned[..., a], turned[..., b] = c * people[..., a] - s * people[..., b], s * people[..., a] + c * people[..., b]
    moved = SequenceSet([turned[None]], layout=data.layout, names=["turned"])
    azimuth = skeleton_player(moved, 0).content["bodies"][0]["camera"]["azimuth"]
    assert abs((azimuth - camera["azimuth"]) % 360 - np.rad2deg(turn)) < 1.0


@pytest.mark.parametrize("signed", [False, True])
def test_relevance_is_kept_to_a_part_in_a_hundred(data, signed):
    maps = some_map(data, 0, signed=signed)
    content = skeleton_player(data, 0, maps).content
    values = maps["a"].values
    level = content["bodies"][0]["maps"][0] / (127 if signed else 255)
    np.testing.assert_allclose(level, values / np.abs(values).max(), atol=0.005)
    assert content["signed"] is signed
    assert len(json.dumps(embedded(content))) < 40_000


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 4), st.integers(1, 9), st.integers(0, 2**31 - 1))
def test_aligned_frames_go_from_start_to_end_without_jumps(n, m, temporal_stride, window, seed):
    rng = np.random.default_rng(seed)
    a, b = 0, 0
    path = [(0, 0)]
    while (a, b) != (n - 1, m - 1):
        move = rng.integers(3)
        a, b = min(a + (move != 2), n - 1), min(b + (move != 1), m - 1)
        path.append((a, b))
    lengths = ((n + window - 1) * temporal_stride, (m + window - 1) * temporal_stride)
    frames = aligned_frames(path, lengths, window=window, temporal_stride=temporal_stride)
    np.testing.assert_array_equal(frames[0], 0)
    np.testing.assert_array_equal(frames[-1], np.array(lengths) - 1)
    steps = np.diff(frames, axis=0)
    assert steps.size == 0 or (steps.min() >= 0 and steps.max() <= 1)
    assert set(frames[:, 0]) == set(range(lengths[0]))


def test_bad_input_is_named(data):
    with pytest.raises(SequenceError, match="no recording 99"):
        skeleton_player(data, 0, neighbor=99)
    with pytest.raises(SequenceError, match="no neighbor is given"):
        skeleton_player(data, 0, path=[[0, 0]])
    with pytest.raises(SequenceError, match="input frames below"):
        skeleton_player(data, 0, neighbor=1, path=[[0, 10_000]])
    with pytest.raises(SequenceError, match="the map of 'a' has shape"):
        skeleton_player(data, 0, some_map(data, 1))


# -- figures of checks --------------------------------------------------------------------------


def tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    curves, summary, decay = [], [], []
    for index in (1, 2, 3):
        about = {"layer": f"l{index}", "title": f"layer {index}", "index": index}
        for mode in ("deletion", "insertion"):
            for kind, drop in (("map", 0.3 * index), ("random", 0.2), ("motion", 0.25)):
                for x in np.linspace(0, 1, 5):
                    share = 1 - x if mode == "deletion" else x
                    value = {"fraction": x, "probability": share ** (1 + drop)}
                    curves.append({**about, "unit": "joints", "mode": mode, "kind": kind, **value})
            numbers = {"area": 0.4, "low": 0.3, "high": 0.5, "random": 0.6, "random_low": 0.55, "random_high": 0.7}
            numbers |= {"motion": 0.45, "motion_low": 0.42, "motion_high": 0.5}
            summary.append({**about, "unit": "joints", "mode": mode, **numbers})
        for step, name in enumerate(["nothing", "head", "layer 3"]):
            value = {"correlation": 1 - step / (2 + index), "similarity": 1 - step / 4, "chance": 0.1}
            value |= {"low": value["correlation"] - 0.1, "high": value["correlation"] + 0.1}
            decay.append({**about, "step": step, "randomised": name, **value})
    return pd.DataFrame(curves), pd.DataFrame(summary), pd.DataFrame(decay)


def test_curves_areas_and_decay_draw_a_line_per_layer():
    curves, summary, decay = tables()
    figure = faithfulness_curves(curves)
    for ax in figure.axes:
        assert len(ax.lines) == 5
    line = figure.axes[0].lines[2]
    np.testing.assert_allclose(line.get_ydata(), (1 - np.linspace(0, 1, 5)) ** 1.9)
    areas = faithfulness_areas(summary)
    assert [line.get_ydata()[0] for line in areas.axes[0].lines] == [0.6, 0.45, 0.4]
    assert [text.get_text() for text in areas.legends[0].get_texts()][1:] == ["random maps", "motion energy"]
    lost = randomisation_decay(decay)
    np.testing.assert_allclose(lost.axes[0].lines[0].get_ydata(), [1, 2 / 3, 1 / 3])
    for each in (figure, areas, lost):
        assert each.alt
    with pytest.raises(SequenceError, match="no unit 'frames'; it has joints"):
        faithfulness_curves(curves, unit="frames")
    with pytest.raises(SequenceError, match="lacks similarity"):
        randomisation_decay(decay.drop(columns="similarity"))
