"""Noise: no noise changes nothing, levels do what they say, results are kept, and the verdict reads them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from planted import PlantedNetwork, planted_recordings

from stgcnlib import layer_geometry, record, transforms
from stgcnlib.dsgraph import nnk_graph
from stgcnlib.dtw import dtw_distances
from stgcnlib.errors import SequenceError, StudyError
from stgcnlib.geometry import label_smoothness
from stgcnlib.geometry.uncertainty import deletion_groups
from stgcnlib.sequences import SequenceSet
from stgcnlib.studies import noise as module
from stgcnlib.studies import noise_study
from stgcnlib.studies.corruption import CLEAN, KINDS, corrupt, motion_decibels
from stgcnlib.studies.noise_controls import untrained_controls
from stgcnlib.studies.noise_result import NoiseResult
from stgcnlib.training import evaluate
from stgcnlib.verdicts import judge_noise, moderate_level, shown_level

DATA = planted_recordings(48, 5, noise=0.5)
LEVELS = {
    "jitter": (np.inf, -30.0),
    "joint dropout": (0.0, 0.5),
    "frame dropout": (0.5,),
    "rotation": (0.0, 90.0),
}
SETTINGS: dict[str, Any] = {
    "layers": ["blocks.1", "blocks.3"],
    "k": 8,
    "groups": DATA.groups["subject"],
}


def network(seed: int = 0) -> PlantedNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return PlantedNetwork("kinect-v1", 3).eval()


@pytest.fixture(scope="module")
def finished() -> NoiseResult:
    return noise_study(
        [network(), network(2)], DATA, levels=LEVELS, noisy_networks={"jitter 10 dB": network(1)}, **SETTINGS
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "level"), [("jitter", np.inf), ("joint dropout", 0.0), ("rotation", 0.0)])
def test_no_noise_gives_the_clean_numbers(finished: NoiseResult, kind: str, level: float) -> None:
    for member in ("trained", "trained-2", "jitter 10 dB"):
        # The recordings are the same; which thread adds which products decides the last digits of distances.
        clean_values = finished.node_values(member, CLEAN, None)
        np.testing.assert_allclose(finished.node_values(member, kind, level), clean_values, atol=1e-4)
    for name in ("trained", "jitter 10 dB"):
        rows = finished.table[(finished.table["network"] == name) & (finished.table["kind"] == kind)]
        rows = rows[rows["level"] == level]
        assert (rows[["change", "change_low", "change_high", "loss"]].abs() < 1e-4).all().all()
        score = finished.accuracy.query("network == @name and kind == @kind and level == @level").iloc[0]
        clean = finished.accuracy.query("network == @name and kind == 'clean'").iloc[0]
        assert score["accuracy"] == clean["accuracy"]
        assert score["change"] == 0


def test_the_clean_row_is_the_geometry_and_accuracy_of_the_library(finished: NoiseResult) -> None:
    options = {**SETTINGS, "permutations": 500}
    layers = options.pop("layers")
    stores = {"trained": record(network(), DATA, layers=layers), "trained-2": record(network(2), DATA, layers=layers)}
    geometry = layer_geometry(stores, DATA.labels, **options)
    rows = finished.table.query("network == 'trained' and kind == 'clean'").set_index("index")
    curve = geometry.mean_curve().set_index("index")
    for column in ("smoothness", "low", "high"):  # the spread between both networks is in the interval
        np.testing.assert_allclose(rows[column], curve[column], atol=1e-9)
    assert (rows["networks"] == 2).all()
    np.testing.assert_allclose(rows["null"], geometry.curve()["null_mean"], atol=0.02)  # what shuffling comes to
    score = finished.accuracy.query("network == 'trained' and kind == 'clean'").iloc[0]
    assert score["accuracy"] == np.mean([evaluate(network(seed), DATA).accuracy for seed in (0, 2)])
    assert score["chance"] == pytest.approx(1 / 3)


def test_changes_are_paired_and_losses_are_shares(finished: NoiseResult) -> None:
    pairs = [
        (finished.node_values(name, "jitter", -30.0), finished.node_values(name, CLEAN, None))
        for name in ("trained", "trained-2")
    ]
    rows = finished.table.query("network == 'trained' and kind == 'jitter' and level == -30").sort_values("index")
    for place, row in enumerate(rows.itertuples()):
        change = np.mean([noisy[place].mean() - clean[place].mean() for noisy, clean in pairs])
        base = np.mean([clean[place].mean() for _, clean in pairs])
        assert row.change == pytest.approx(change)
        assert row.change_low < change < row.change_high
        assert row.loss == pytest.approx(change / (row.null - base))
        assert row.loss_low < row.loss < row.loss_high
    assert (rows["loss"] > 0.3).all()  # a thousand times as much noise as signal
    assert rows["severity"].tolist() == [2] * len(rows)
    assert rows["lost"].isna().all()  # no untrained network is known


def test_an_interval_makes_graphs_anew_from_noisy_recordings_without_a_person(finished: NoiseResult) -> None:
    jackknife = finished.jackknife
    noisy = corrupt(DATA, "rotation", 90.0)
    matrix = dtw_distances(record(network(), noisy, layers=["blocks.3"])["blocks.3"])
    groups = np.asarray(SETTINGS["groups"])
    for part in range(jackknife.count):
        keep = jackknife.parts != part
        graph = nnk_graph(matrix[np.ix_(keep, keep)], k=8, exclude=groups[keep])
        rows = finished.each.query("member == 'trained' and kind == 'rotation' and level == 90 and layer == 'blocks.3'")
        expected = label_smoothness(graph, DATA.labels[keep])
        assert rows.set_index("part")["smoothness"][part] == pytest.approx(expected, abs=1e-6)


def test_what_training_gained_is_known_from_untrained_networks() -> None:
    options = {**SETTINGS, "layers": ["blocks.3"]}
    stores = {name: record(network(seed), DATA, layers=["blocks.3"]) for name, seed in
              (("trained", 0), ("untrained", 7), ("untrained-2", 8))}  # fmt: skip
    geometry = layer_geometry(stores, DATA.labels, **{k: v for k, v in options.items() if k != "layers"})
    result = noise_study(
        network(), DATA, levels={"rotation": (90.0,)}, kinds=["rotation"], geometry=geometry, **options
    )
    row = result.table.query("kind == 'rotation' and layer == 'blocks.3'").iloc[0]
    untrained = geometry.mean_curve("untrained")["smoothness"].iloc[-1]
    assert row["untrained"] == pytest.approx(untrained)
    gain = untrained - (row["smoothness"] - row["change"])
    assert np.isnan(row["lost"]) if gain <= 0 else row["lost"] == pytest.approx(row["change"] / gain)
    assert np.isnan(result.table.query("kind == 'rotation' and layer == 'input'")["lost"].iloc[0])  # nothing is trained
    days = {**options, "groups": np.arange(48) // 8}
    with pytest.raises(StudyError, match="leaves out other parts"):
        noise_study(network(), DATA, levels={"rotation": (90.0,)}, kinds=["rotation"], geometry=geometry, **days)


def test_noisy_queries_among_clean_neighbours(tmp_path: Path) -> None:
    options = {**SETTINGS, "layers": ["blocks.3"], "kinds": ["jitter"], "levels": {"jitter": (np.inf, 0.0)}}
    result = noise_study(network(), DATA, neighbours="clean", **options)
    same = noise_study(network(), DATA, **options)
    rows, others = (
        each.table.set_index(["kind", "level", "layer"])["smoothness"].sort_index() for each in (result, same)
    )
    assert rows["clean"].tolist() == others["clean"].tolist()
    np.testing.assert_allclose(rows["jitter", np.inf], others["jitter", np.inf], atol=1e-4)
    assert rows["jitter", 0.0, "blocks.3"] != others["jitter", 0.0, "blocks.3"]
    # By hand: each noisy recording's eight nearest clean ones by other people.
    stores = [record(network(), data, layers=["blocks.3"])["blocks.3"] for data in (corrupt(DATA, "jitter", 0.0), DATA)]
    across, among = dtw_distances(*stores), dtw_distances(stores[1])
    graph = nnk_graph(among, k=8, exclude=SETTINGS["groups"], queries=across)
    groups = np.asarray(SETTINGS["groups"])
    for i in range(len(DATA)):
        allowed = np.flatnonzero(groups != groups[i])
        nearest = allowed[np.argsort(across[i, allowed], kind="stable")[:8]]
        assert graph.candidates[i].tolist() == nearest.tolist()
    assert rows["jitter", 0.0, "blocks.3"] == pytest.approx(label_smoothness(graph, DATA.labels), abs=1e-6)
    assert result.settings["neighbours"] == "clean"
    assert "among the clean recordings of others" in judge_noise(result).details


def test_jitter_is_louder_against_motion_than_against_posture() -> None:
    def moving(amplitude: float) -> SequenceSet:
        rng = np.random.default_rng(0)
        body = rng.normal(0, 1, (20, 3))
        body = (body - body.mean()) / body.std()
        motion = amplitude * np.sqrt(2) * np.sin(np.linspace(0, 2 * np.pi, 40, endpoint=False))
        return SequenceSet(
            [body[None] + motion[:, None, None] * np.array([1.0, -1.0] * 10)[None, :, None]], labels=[0],
            class_names=["a"], layout="kinect-v1",
        )  # fmt: skip

    share = transforms.motion_share(moving(0.3))[0]
    assert share == pytest.approx(0.09 / 1.09, rel=0.02)
    assert motion_decibels(moving(0.3), "jitter", 20.0) == pytest.approx(20 + 10 * np.log10(share))
    assert np.isneginf(motion_decibels(moving(0.0), "jitter", 20.0))
    assert np.isnan(motion_decibels(moving(0.3), "rotation", 20.0))


def test_noise_is_as_loud_as_it_says() -> None:
    noisy = corrupt(DATA, "jitter", 12.0, seed=3)
    ratios = []
    for before, after in zip(DATA.coords, noisy.coords, strict=True):
        signal = before.astype(np.float64).reshape(-1, 3)
        power = np.mean((signal - signal.mean(axis=0)) ** 2)
        ratios.append(10 * np.log10(power / np.mean((after.astype(np.float64) - before) ** 2)))
    assert np.mean(ratios) == pytest.approx(12.0, abs=0.1)
    lost = np.concatenate([~c.any(axis=-1).ravel() for c in corrupt(DATA, "joint dropout", 0.3).coords])
    assert lost.mean() == pytest.approx(0.3, abs=0.02)
    kept = corrupt(DATA, "frame dropout", 0.4).lengths.sum() / DATA.lengths.sum()
    assert kept == pytest.approx(0.65, abs=0.08)  # one frame of seven always stays


def test_a_stopped_study_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {**SETTINGS, "kinds": ("jitter",), "levels": {"jitter": (20.0, 10.0)}, "layers": ["blocks.3"]}
    whole = noise_study(network(), DATA, **options)
    measure, done = module._measure, []

    def interrupted(work: Any, task: dict[str, Any]) -> dict[str, Any]:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(task)
        return measure(work, task)

    monkeypatch.setattr(module, "_measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        noise_study(network(), DATA, folder=tmp_path, **options)
    done[:] = [None]
    again = noise_study(network(), DATA, folder=tmp_path, **options)
    assert len(done) == 2  # one level was left
    pd.testing.assert_frame_equal(again.table, whole.table)
    assert again.table["layer"].unique().tolist() == ["input", "blocks.3"]
    again.save(tmp_path / "kept")
    loaded = NoiseResult.load(tmp_path / "kept")
    assert judge_noise(loaded) == judge_noise(whole)


def test_known_distances_are_used() -> None:
    options = {**SETTINGS, "kinds": ("jitter",), "levels": {"jitter": (np.inf, 0.0)}, "layers": ["blocks.3"]}
    rng = np.random.default_rng(0)
    matrix = rng.random((48, 48))
    matrix = matrix + matrix.T
    np.fill_diagonal(matrix, 0)
    result = noise_study(network(), DATA, distances={"blocks.3": matrix}, **options)
    rows = result.table[result.table["level"] != 0].set_index(["kind", "layer"])["smoothness"]
    assert rows["clean", "blocks.3"] != rows["jitter", "blocks.3"]
    assert rows["clean", "input"] == rows["jitter", "input"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kinds": ("jiter",)}, "did you mean 'jitter'"),
        ({"levels": {"fog": (1,)}}, "no noise is named 'fog'"),
        ({"levels": {"jitter": ()}}, "levels of 'jitter' are empty"),
        ({"kinds": ()}, "kinds is empty"),
        ({"kinds": "jiter"}, "no noise is named 'jiter'; did you mean 'jitter'"),
        ({"levels": {"jitter": (np.inf,)}}, "levels of 'jitter' are inf, which is no noise"),
        ({"kinds": ("rotation",), "levels": {"rotation": (0,)}}, "levels of 'rotation' are 0, which is no noise"),
        ({"noisy_networks": {"trained-2": network()}}, "choose another"),
    ],
)
def test_what_cannot_run_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        noise_study(network(), DATA, **{**SETTINGS, **options})


def test_targets_that_are_no_classes_are_refused() -> None:
    data = SequenceSet(DATA.coords, layout="kinect-v1", targets=np.arange(48.0))
    with pytest.raises(StudyError, match="have targets and no classes"):
        noise_study(network(), data, k=8)


def test_one_pattern_of_layers_is_not_read_letter_by_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("stgcnlib.studies.noise_levels.record", lambda *_a, layers, **_k: asked.append(layers) or 1 / 0)
    for layers in ("blocks.*", ["blocks.*"]):
        with pytest.raises(ZeroDivisionError):
            noise_study(network(), DATA, layers=layers, k=8, kinds=["jitter"])
    assert asked == [["blocks.*"]] * 2


@pytest.mark.parametrize(
    ("name", "value"), [("k", 9), ("sigma", "per-node"), ("symmetrize", "mean"), ("solver", "pynnk")]
)
def test_a_geometry_of_other_graphs_is_refused(finished: NoiseResult, name: str, value: Any) -> None:
    graph = {key: finished.settings[key] for key in ("k", "sigma", "symmetrize", "solver")}
    geometry: Any = SimpleNamespace(
        parts=finished.jackknife.parts, settings=graph | {name: value}, networks=lambda _kind: []
    )
    with pytest.raises(StudyError, match=f"graphs have {name}={value!r} where the study has {graph[name]!r}"):
        untrained_controls(geometry, ["blocks.3"], finished.jackknife, graph)
    geometry.settings = graph
    assert untrained_controls(geometry, ["blocks.3"], finished.jackknife, graph).empty


def test_levels_are_checked_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_measure", None)
    with pytest.raises(SequenceError, match="largest angle"):
        noise_study(network(), DATA, levels={"rotation": (10.0, 270.0)}, **SETTINGS)


def test_the_verdict_reads_the_study(finished: NoiseResult) -> None:
    verdict = judge_noise(finished)
    assert set(verdict.numbers["kinds"]) == set(KINDS)
    assert "(2 trained networks)" in verdict.sentence
    assert "One network trained on jitter 10 dB" in verdict.text
    assert moderate_level(finished, "jitter") == -30.0  # infinitely many dB and 0 are no noise
    assert moderate_level(finished, "joint dropout") == 0.5
    assert moderate_level(finished, "frame dropout") == 0.5  # all are strong, so the mildest
    assert [shown_level(kind, 20.0 if kind == "jitter" else 0.1) for kind in KINDS[:3]] == [
        "20 dB", "10% of joints", "10% of frames",
    ]  # fmt: skip


def test_intervals_leave_out_what_is_named_whoever_is_a_neighbour(tmp_path: Path) -> None:
    days = np.arange(len(DATA)) % 3
    settings = {**SETTINGS, "kinds": ["rotation"], "levels": {"rotation": (30.0,)}}
    made = noise_study(network(), DATA, **{**settings, "resample": days, "unit": "day"})
    alike = noise_study(network(), DATA, **settings)
    made.save(tmp_path / "noise")
    back = NoiseResult.load(tmp_path / "noise")
    np.testing.assert_array_equal(back.jackknife.parts, days)
    columns = ["smoothness", "change", "null"]  # the same graphs
    pd.testing.assert_frame_equal(made.table[columns], alike.table[columns])
    assert (made.table["low"] != alike.table["low"]).any()
    assert "leaving out one of 3 days at a time, with graphs made anew" in judge_noise(back).text
    alone = noise_study(network(), DATA, **{**settings, "resample": "recordings"})
    np.testing.assert_array_equal(alone.jackknife.parts, deletion_groups(len(DATA)))
    assert "20 random parts of the recordings" in judge_noise(alone).text
