"""Noise: no noise changes nothing, levels do what they say, results are kept, and the verdict reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from planted import PlantedNetwork, planted_recordings

from stgcnlib import layer_geometry, record
from stgcnlib.errors import SequenceError, StudyError
from stgcnlib.geometry import paired_difference
from stgcnlib.studies import noise as module
from stgcnlib.studies import noise_study
from stgcnlib.studies.noise import CLEAN, KINDS, NoiseResult, corrupt
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
    "bootstrap": 200,
    "groups": DATA.groups["subject"],
}


def network(seed: int = 0) -> PlantedNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return PlantedNetwork("kinect-v1", 3).eval()


@pytest.fixture(scope="module")
def finished() -> NoiseResult:
    return noise_study(network(), DATA, levels=LEVELS, noisy_networks={"jitter 10 dB": network(1)}, **SETTINGS)


@pytest.mark.parametrize(("kind", "level"), [("jitter", np.inf), ("joint dropout", 0.0), ("rotation", 0.0)])
def test_no_noise_gives_the_clean_numbers(finished: NoiseResult, kind: str, level: float) -> None:
    for name in (CLEAN, "jitter 10 dB"):
        # The recordings are the same; which thread adds which products decides the last digits of distances.
        clean_values = finished.node_values(name, CLEAN, None)
        np.testing.assert_allclose(finished.node_values(name, kind, level), clean_values, atol=1e-4)
        rows = finished.table[(finished.table["network"] == name) & (finished.table["kind"] == kind)]
        rows = rows[rows["level"] == level]
        assert (rows[["change", "change_low", "change_high", "loss"]].abs() < 1e-4).all().all()
        score = finished.accuracy.query("network == @name and kind == @kind and level == @level").iloc[0]
        clean = finished.accuracy.query("network == @name and kind == 'clean'").iloc[0]
        assert score["accuracy"] == clean["accuracy"]
        assert score["change"] == 0


def test_the_clean_row_is_the_geometry_and_accuracy_of_the_library(finished: NoiseResult) -> None:
    options = {**SETTINGS, "permutations": 500}
    options.pop("bootstrap", None)
    store = record(network(), DATA, layers=options.pop("layers"))
    geometry = layer_geometry(store, DATA.labels, **options)
    rows = finished.table.query("network == 'clean' and kind == 'clean'").set_index("index")
    curve = geometry.curve().set_index("index")
    np.testing.assert_allclose(rows["smoothness"], curve["smoothness"], atol=1e-9)
    np.testing.assert_allclose(rows["null"], curve["null_mean"], atol=0.02)  # what shuffling comes to on average
    score = finished.accuracy.query("network == 'clean' and kind == 'clean'").iloc[0]
    assert score["accuracy"] == evaluate(network(), DATA).accuracy
    assert score["chance"] == pytest.approx(1 / 3)


def test_changes_are_paired_and_losses_are_shares(finished: NoiseResult) -> None:
    noisy, clean = finished.node_values(CLEAN, "jitter", -30.0), finished.node_values(CLEAN, CLEAN, None)
    rows = finished.table.query("network == 'clean' and kind == 'jitter' and level == -30").sort_values("index")
    for values, base, row in zip(noisy, clean, rows.itertuples(), strict=True):
        change, low, high = paired_difference(values, base, finished.counts())
        assert (row.change, row.change_low, row.change_high) == pytest.approx((change, low, high))
        assert row.loss == pytest.approx(change / (row.null - base.mean()))
    assert (rows["loss"] > 0.3).all()  # a thousand times as much noise as signal
    assert rows["severity"].tolist() == [2] * len(rows)


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
    options = {**SETTINGS, "kinds": ("jitter",), "levels": {"jitter": (np.inf,)}, "layers": ["blocks.3"]}
    rng = np.random.default_rng(0)
    matrix = rng.random((48, 48))
    matrix = matrix + matrix.T
    np.fill_diagonal(matrix, 0)
    result = noise_study(network(), DATA, distances={"blocks.3": matrix}, **options)
    rows = result.table.set_index(["kind", "layer"])["smoothness"]
    assert rows["clean", "blocks.3"] != rows["jitter", "blocks.3"]
    assert rows["clean", "input"] == rows["jitter", "input"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kinds": ("jiter",)}, "did you mean 'jitter'"),
        ({"levels": {"fog": (1,)}}, "no noise is named 'fog'"),
        ({"levels": {"jitter": ()}}, "levels of 'jitter' are empty"),
        ({"kinds": ()}, "kinds is empty"),
        ({"noisy_networks": {"clean": network()}}, "choose another"),
    ],
)
def test_what_cannot_run_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        noise_study(network(), DATA, **{**SETTINGS, **options})


def test_levels_are_checked_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_measure", None)
    with pytest.raises(SequenceError, match="largest angle"):
        noise_study(network(), DATA, levels={"rotation": (10.0, 270.0)}, **SETTINGS)


def test_the_verdict_reads_the_study(finished: NoiseResult) -> None:
    verdict = judge_noise(finished)
    assert set(verdict.numbers["kinds"]) == set(KINDS)
    assert "The network trained on jitter 10 dB" in verdict.text
    assert np.isinf(moderate_level(finished, "jitter"))
    assert moderate_level(finished, "joint dropout") == 0.0
    assert moderate_level(finished, "frame dropout") == 0.5  # all are strong, so the mildest
    assert [shown_level(kind, 20.0 if kind == "jitter" else 0.1) for kind in KINDS[:3]] == [
        "20 dB", "10% of joints", "10% of frames",
    ]  # fmt: skip


def test_intervals_resample_what_is_named_whoever_is_a_neighbour(tmp_path: Path) -> None:
    days = np.arange(len(DATA)) % 3
    settings = {**SETTINGS, "kinds": ["rotation"], "levels": {"rotation": (30.0,)}}
    made = noise_study(network(), DATA, **{**settings, "resample": days, "unit": "day"})
    alike = noise_study(network(), DATA, **settings)
    made.save(tmp_path / "noise")
    back = NoiseResult.load(tmp_path / "noise")
    np.testing.assert_array_equal(back.counts(), module.bootstrap_counts(len(DATA), draws=200, groups=days))
    columns = ["smoothness", "change", "null"]  # the same graphs
    pd.testing.assert_frame_equal(made.table[columns], alike.table[columns])
    assert (made.table["low"] != alike.table["low"]).any()
    assert "200 bootstrap draws of the 3 days and their recordings" in judge_noise(back).text
    alone = noise_study(network(), DATA, **{**settings, "resample": "recordings"})
    np.testing.assert_array_equal(alone.counts(), module.bootstrap_counts(len(DATA), draws=200))
    assert "of recordings as if independent" in judge_noise(alone).text
