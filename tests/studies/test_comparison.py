"""Comparison: paired tests against scipy and by hand, folders that are none, and the seventh claim."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import ttest_rel

from stgcnlib import layer_geometry
from stgcnlib.errors import StudyError
from stgcnlib.geometry import LayerGeometry
from stgcnlib.studies import paired_test
from stgcnlib.verdicts import compare_studies, judge_depth

CLASSES = ["wave", "kick", "sit"]


def finished(
    folder: Path, *, seed: int = 0, name: str = "one", layers: int = 4, spread: float = 0.5, order: Any = None,
    network: str = "st-gcn", data: str = "demo", **options: Any,
) -> Path:  # fmt: skip
    """A folder as a finished study leaves it, made of random distances; `order` shuffles its recordings."""
    rng = np.random.default_rng(seed)
    order = np.arange(36) if order is None else order
    labels, subjects = (np.arange(36) % 3)[order], (np.arange(36) // 9)[order]
    store = {f"block {i}": SimpleNamespace(index=i, title="input" if i == 0 else f"layer {i}") for i in range(layers)}
    distances = {}
    for i, key in enumerate(store):
        places = np.random.default_rng(7).normal(0, spread, (36, 2))[order]
        noise = rng.normal(0, 0.3 / (1 + i), (36, 2))
        places = places + np.eye(3)[labels][:, :2] * i + noise
        distances[key] = np.linalg.norm(places[:, None] - places[None], axis=-1)
    holder: Any = type("Store", (dict,), {"layers": tuple(store)})(store)
    geometry = layer_geometry(
        holder, labels, class_names=CLASSES, groups=subjects,
        distances={"trained": distances, "untrained": dict.fromkeys(store, distances["block 0"])}, k=6, permutations=20,
        **options,
    )  # fmt: skip
    geometry.save(folder / "artefacts" / "geometry")
    (folder / "tables").mkdir()
    recordings = {
        "node": np.arange(36), "name": [f"recording {i}" for i in order], "label": labels,
        "class_name": [CLASSES[c] for c in labels], "predicted": labels, "correct": rng.random(36) < 0.8,
        "group subject": subjects,
    }  # fmt: skip
    pd.DataFrame(recordings).to_parquet(folder / "tables" / "recordings.parquet")
    settings = {"name": name, "network": {"name": network}, "data": {"path": data}}
    (folder / "study.yml").write_text(yaml.safe_dump(settings))
    return folder


# -- the test ----------------------------------------------------------------------------------


def test_the_permutation_test_is_the_enumeration() -> None:
    rng = np.random.default_rng(0)
    subjects = rng.integers(0, 6, 80)
    a = rng.normal(0, 1, 80) + 0.4
    b = rng.normal(0, 1, 80)
    means = np.array([(a - b)[subjects == s].mean() for s in range(6)])
    flipped = np.array([np.mean(means * signs) for signs in product([-1, 1], repeat=6)])
    expected = min(1.0, 2 * min((flipped >= means.mean() - 1e-12).mean(), (flipped <= means.mean() + 1e-12).mean()))
    result = paired_test(a, b, subjects)
    assert result["p"] == pytest.approx(expected)
    assert result["difference"] == pytest.approx((a - b).mean())
    assert result["units"] == 6
    assert paired_test(b, a, subjects)["p"] == pytest.approx(expected)
    four = paired_test(np.ones(8), np.zeros(8), [0, 0, 1, 1, 2, 2, 3, 3])
    assert four["p"] == pytest.approx(2 / 2**4)


def test_the_permutation_test_is_near_scipys_t_test_for_many_recordings() -> None:
    rng = np.random.default_rng(1)
    a, noise = rng.normal(0, 1, 200), rng.normal(0.12, 1, 200)
    result = paired_test(a + noise, a)
    assert result["p"] == pytest.approx(ttest_rel(a + noise, a).pvalue, abs=0.02)
    assert result["low"] <= result["difference"] <= result["high"]


def test_no_difference_is_no_finding() -> None:
    result = paired_test([0.5, 0.7], [0.5, 0.7])
    assert (result["difference"], result["low"], result["high"], result["p"]) == (0, 0, 0, 1)
    for first, second, subjects in (([1.0], [1.0, 2.0], None), ([], [], None), ([1.0, 2.0], [1.0, 2.0], [1])):
        with pytest.raises(StudyError, match="paired_test"):
            paired_test(first, second, subjects)


# -- folders -----------------------------------------------------------------------------------


def test_two_studies_of_the_same_recordings_are_paired(tmp_path: Path) -> None:
    shuffled = np.random.default_rng(3).permutation(36)
    first = finished(tmp_path / "a", seed=1, name="A", spread=0.3)
    second = finished(tmp_path / "b", seed=1, name="B", spread=1.5, order=shuffled, layers=3)
    comparison = compare_studies([first, second])
    assert comparison.names == ["A", "B"]
    assert set(comparison.pairs["quantity"]) == {"input", "early layers", "last layer", "accuracy"}
    studies = comparison.studies.set_index("study")
    assert list(studies.columns) == [
        *("folder", "network", "data", "layers", "n", "accuracy", "input", "last", "fall", "fall_low", "fall_high"),
        *("untrained_last", "holds", "verdict"),
    ]
    for folder, row in zip([first, second], studies.itertuples(), strict=True):
        outcome = judge_depth(LayerGeometry.load(folder / "artefacts" / "geometry"))
        numbers, fall = outcome.numbers, outcome.numbers["fall"]
        assert (row.holds, row.verdict) == (outcome.holds, outcome.text)
        assert [row.input, row.last] == [numbers[k] for k in ("input", "last")]
        assert row.untrained_last == numbers["untrained"]["smoothness"]
        assert (row.fall, row.fall_low, row.fall_high) == (fall["value"], fall["low"], fall["high"])
    last = comparison.pairs.set_index("quantity").loc["last layer"]
    assert last["difference"] == pytest.approx(studies.loc["A", "last"] - studies.loc["B", "last"])
    assert last["low"] <= last["difference"] <= last["high"]
    assert (last["units"], last["unit"]) == (4, "subject")
    curves = comparison.curves
    assert sorted(curves.groupby("study")["depth"].nunique()) == [3, 4]
    assert curves["depth"].between(0, 1).all()
    assert set(comparison.classes["class_name"]) == set(CLASSES)
    assert len(comparison.class_groups()) == 1


def test_pairs_are_tested_by_what_the_studies_resample(tmp_path: Path) -> None:
    days = np.arange(36) % 3
    folders = [finished(tmp_path / n, seed=i, name=n, resample=days, unit="day") for i, n in enumerate("ab")]
    comparison = compare_studies(folders)
    assert set(comparison.pairs["unit"]) == {"day"}
    assert set(comparison.pairs["units"]) == {3}
    alone = compare_studies([finished(tmp_path / n, seed=i, resample="recordings") for i, n in enumerate("cd")])
    assert set(alone.pairs["unit"]) == {"recording"}
    assert set(alone.pairs["units"]) == {36}
    first, second = (LayerGeometry.load(f / "artefacts" / "geometry").node_values() for f in folders)
    last = comparison.pairs.set_index("quantity").loc["last layer"]
    assert last["p"] == paired_test(first[-1], second[-1], days)["p"]


def test_what_a_study_warns_of_is_told_with_its_name(tmp_path: Path) -> None:
    first, second = finished(tmp_path / "a", name="A"), finished(tmp_path / "b", name="B", seed=2)
    assert compare_studies([first, second]).warnings == ()
    home = second / "artefacts" / "summary"
    home.mkdir()
    (home / "summary.json").write_text(json.dumps({"warnings": ["9 of 40 test recordings are known.", "Others."]}))
    assert compare_studies([first, second]).warnings == ("B: 9 of 40 test recordings are known.", "B: Others.")
    (home / "summary.json").write_text(json.dumps({"verdict": "of an older version"}))
    assert compare_studies([first, second]).warnings == ()


def test_the_same_study_twice_differs_in_nothing(tmp_path: Path) -> None:
    folder = finished(tmp_path / "a", name="A")
    comparison = compare_studies([folder, folder])
    assert comparison.names == ["A (a) #1", "A (a) #2"]
    assert (comparison.pairs[["difference", "low", "high"]] == 0).all().all()
    assert (comparison.pairs["p"] == 1).all()


def test_other_recordings_are_not_paired(tmp_path: Path) -> None:
    first, second = finished(tmp_path / "a", name="A"), finished(tmp_path / "b", name="A")
    file = second / "tables" / "recordings.parquet"
    table = pd.read_parquet(file)
    table.assign(name=[f"other {i}" for i in range(36)]).to_parquet(file)
    comparison = compare_studies([first, second])
    assert comparison.pairs.empty
    assert comparison.names == ["A (a)", "A (b)"]
    table.assign(class_name="sit").to_parquet(file)  # the same names, but other actions
    assert compare_studies([first, second]).pairs.empty


@pytest.mark.parametrize("missing", ["study.yml", "tables/recordings.parquet", "artefacts/geometry/manifest.json"])
def test_an_unfinished_study_is_named(tmp_path: Path, missing: str) -> None:
    folder = finished(tmp_path / "a")
    (folder / missing).unlink()
    with pytest.raises(StudyError, match=f"no finished study, {missing} is missing; run it to its end"):
        compare_studies([folder, folder])


def test_damaged_and_foreign_files_are_named(tmp_path: Path) -> None:
    folder = finished(tmp_path / "a")
    (folder / "study.yml").write_text("name: A")
    with pytest.raises(StudyError, match="do not belong to a finished study"):
        compare_studies([folder, folder])
    with pytest.raises(StudyError, match="at least two folders"):
        compare_studies([folder])
