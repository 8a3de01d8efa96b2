"""Comparison: paired tests by hand, unequal settings, and folders that are none."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from stgcnlib import layer_geometry
from stgcnlib.errors import StudyError
from stgcnlib.geometry import LayerGeometry
from stgcnlib.verdicts import compare_studies, judge_depth

CLASSES = ["wave", "kick", "sit"]


def finished(
    folder: Path, *, seed: int = 0, name: str = "one", layers: int = 4, spread: float = 0.5, order: Any = None,
    network: str = "st-gcn", data: str = "demo", sections: Any = None, **options: Any,
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
        distances={"trained": distances, "untrained": dict.fromkeys(store, distances["block 0"])},
        **({"k": 6, "permutations": 20} | options),
    )  # fmt: skip
    geometry.save(folder / "artefacts" / "geometry")
    (folder / "tables").mkdir()
    recordings = {
        "node": np.arange(36), "name": [f"recording {i}" for i in order], "label": labels,
        "class_name": [CLASSES[c] for c in labels], "predicted": labels, "correct": rng.random(36) < 0.8,
        "group subject": subjects,
    }  # fmt: skip
    pd.DataFrame(recordings).to_parquet(folder / "tables" / "recordings.parquet")
    settings = {"name": name, "network": {"name": network}, "data": {"path": data}} | (sections or {})
    (folder / "study.yml").write_text(yaml.safe_dump(settings))
    return folder


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
        *("folder", "network", "data", "layers", "n", "k", "accuracy", "input", "last", "fall", "fall_low"),
        *("fall_high", "input_rescaled", "last_rescaled", "untrained_last", "holds", "verdict"),
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
    assert (last["units"], last["unit"], last["scale"]) == (4, "subject", "S")
    # Tukey's jackknife by hand: both studies' graphs are made anew without each person, who is whoever's number
    gaps = [
        np.nanmean(np.where(people == person, np.nan, values[person]))
        for geometry in (LayerGeometry.load(folder / "artefacts" / "geometry") for folder in (first, second))
        for people, values in [(geometry.parts, geometry.left_out[(geometry.curve()["layer"].iloc[-1], "trained",
                                                                   "other subjects")])]
        for person in range(4)
    ]  # fmt: skip
    without = np.subtract(gaps[:4], gaps[4:])
    error = np.sqrt(3 / 4 * ((without - without.mean()) ** 2).sum())
    assert last["high"] - last["difference"] == pytest.approx(stats.t.ppf(0.975, 3) * error)
    assert last["p"] == pytest.approx(2 * stats.t.sf(abs(last["difference"]) / error, 3))
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
    assert set(alone.pairs["unit"]) == {"part"}
    assert set(alone.pairs["units"]) == {20}


def test_parts_that_do_not_match_leave_graphs_as_they_are(tmp_path: Path) -> None:
    """One study leaves out people, the other random parts: the differences per node, without each of the first's."""
    first, second = finished(tmp_path / "a"), finished(tmp_path / "b", seed=2, resample="recordings")
    last = compare_studies([first, second]).pairs.set_index("quantity").loc["last layer"]
    a, b = (LayerGeometry.load(f / "artefacts" / "geometry") for f in (first, second))
    expected = a.jackknife.mean(a.node_values()[-1] - b.node_values()[-1])
    assert (last["difference"], last["low"]) == pytest.approx((expected.value, expected.low))


# -- settings ----------------------------------------------------------------------------------


def test_the_same_data_at_two_k_are_not_compared_in_level(tmp_path: Path) -> None:
    """K = 4 and 20 of the same distances: S differs by K alone."""
    folders = [finished(tmp_path / str(k), name=f"K{k}", k=k) for k in (4, 20)]
    comparison = compare_studies(folders)
    assert not comparison.comparable
    assert comparison.unequal.to_dict("records") == [
        {"setting": "graph.k", "study": "K4", "value": "4"}, {"setting": "graph.k", "study": "K20", "value": "20"},
    ]  # fmt: skip
    smoothness = comparison.pairs[comparison.pairs["quantity"] != "accuracy"]
    assert set(smoothness["scale"]) == {"rescaled"}
    studies = comparison.studies.set_index("study")
    last = smoothness.set_index("quantity").loc["last layer"]
    assert last["first_value"] == pytest.approx(studies.loc["K4", "last_rescaled"])
    assert last["difference"] == pytest.approx(studies["last_rescaled"]["K4"] - studies["last_rescaled"]["K20"])
    curves = comparison.curves[comparison.curves["kind"] == "trained"].groupby("study").last()
    floor = curves["floor"]
    expected = (curves["smoothness"] - floor) / (curves["null_mean"] - floor)
    assert curves["rescaled"].to_dict() == pytest.approx(expected.to_dict())
    assert smoothness[["low", "high", "p"]].isna().all().all()  # K makes a difference by itself: nothing is tested
    accuracy = comparison.pairs.set_index("quantity").loc["accuracy"]
    assert np.isfinite([accuracy["low"], accuracy["high"], accuracy["p"]]).all()


@pytest.mark.parametrize(
    ("first", "second", "settings"),
    [
        ({"dtw": {"reading": "sliding", "window": 9}}, {"dtw": {"reading": "sliding", "window": 5}}, ["dtw.window"]),
        ({"dtw": {"reading": "frames", "window": 9}}, {"dtw": {"reading": "frames", "window": 5}}, []),
        (
            {"dtw": {"reading": "frames"}}, {"dtw": {"reading": "segments", "segments": 4}},
            ["dtw.reading", "dtw.segments"],
        ),
        ({"graph": {"part": "test"}}, {"graph": {"part": "all"}}, ["graph.part"]),
        ({"data": {"path": "a", "centre": "frame"}}, {"data": {"path": "b", "centre": "sequence"}}, ["data.centre"]),
        ({"data": {"path": "a"}}, {"data": {"path": "b"}}, []),  # another data set is no other setting
    ],
    ids=["window", "window of no reading", "reading", "part", "preparation", "data"],
)  # fmt: skip
def test_settings_that_decide_levels(tmp_path: Path, first: Any, second: Any, settings: list[str]) -> None:
    folders = [finished(tmp_path / n, name=n, sections=each) for n, each in (("a", first), ("b", second))]
    comparison = compare_studies(folders)
    assert list(dict.fromkeys(comparison.unequal["setting"])) == settings
    assert comparison.comparable == (not settings)
    assert set(comparison.pairs["scale"]) == {"rescaled" if settings else "S", "share"}


def test_choices_of_the_graphs_decide_levels(tmp_path: Path) -> None:
    plain = finished(tmp_path / "a", name="a")
    for options, setting in (
        ({"sigma": 0.7}, "graph.sigma"), ({"solver": "pynnk"}, "graph.solver"), ({"group": "day"}, "graph.leave_out"),
    ):  # fmt: skip
        other = finished(tmp_path / setting, name="b", **options)
        assert compare_studies([plain, other]).unequal["setting"].unique().tolist() == [setting]


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
    assert comparison.comparable


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
