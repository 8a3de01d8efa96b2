"""Transfer: a planted truth, runs that are kept, classes that are split, and the rules of advice and verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from planted import BLIND, planted_recordings, planted_source

from stgcnlib.errors import SequenceError, StudyError
from stgcnlib.geometry import bootstrap_counts
from stgcnlib.sequences import SequenceSet
from stgcnlib.studies import advise_frozen, split_classes, transfer_study
from stgcnlib.studies import transfer as module
from stgcnlib.studies.advice import MARGIN, judge_transfer
from stgcnlib.studies.transfer import PROBE, SCRATCH, TransferResult

TRAINING = {"epochs": 10, "learning_rate": 0.05, "augment": False, "batch_size": 12}


def study(folder: Path | None = None, **options: Any) -> TransferResult:
    train, test = planted_recordings(24, 1), planted_recordings(36, 2)
    chosen: dict[str, Any] = {"seeds": 2, "training": TRAINING, "bootstrap": 200, "permutations": 10, "workers": 1}
    return transfer_study(
        planted_source(), train, test, folder=folder, **{"groups": test.groups["subject"], **chosen, **options}
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TransferResult]:
    folder = tmp_path_factory.mktemp("runs")
    return folder, study(folder)


def test_where_only_late_blocks_differ_the_early_ones_are_to_be_frozen(finished: tuple[Path, TransferResult]) -> None:
    result = finished[1]
    frozen = result.table[result.table["method"] == "frozen"].set_index("frozen")["accuracy"]
    assert (frozen.loc[:BLIND] > 0.85).all()
    assert (frozen.loc[BLIND + 1 :] < 0.5).all()
    advice = result.advice()
    assert advice.frozen == BLIND
    assert advice.by_smoothness == BLIND
    assert "both agree" in advice.text
    assert f"Freeze the first {BLIND} of 4 blocks" in advice.text
    smoothness = result.smoothness.set_index("index")["smoothness"]
    assert smoothness.loc[BLIND] < 0.2
    assert smoothness.loc[BLIND + 1] > 0.5


def test_tables_agree_with_the_runs(finished: tuple[Path, TransferResult]) -> None:
    result = finished[1]
    assert len(result.runs) == 1 + 2 * (5 + 1)
    for row in result.table.itertuples():
        runs = result.runs[(result.runs["method"] == row.method) & (result.runs["frozen"] == row.frozen)]
        assert row.accuracy == pytest.approx(runs["accuracy"].mean())
        assert row.low - 1e-9 <= row.accuracy <= row.high + 1e-9
        assert row.change_low - 1e-9 <= row.change <= row.change_high + 1e-9
    rows = result.predictions.groupby(["method", "frozen", "seed"])["correct"].mean()
    np.testing.assert_allclose(
        rows.sort_index(), result.runs.set_index(["method", "frozen", "seed"])["accuracy"].sort_index()
    )
    parameters = result.table[result.table["method"] == "frozen"].set_index("frozen")["parameters"]
    head = 6 * 3 + 3
    assert parameters.tolist() == [24 + 3 * 42 + head, 3 * 42 + head, 2 * 42 + head, 42 + head, head]
    none = result.table[(result.table["method"] == "frozen") & (result.table["frozen"] == 0)].iloc[0]
    assert none["change"] == none["change_low"] == none["change_high"] == 0
    probe = result.table[result.table["method"] == PROBE].iloc[0]
    assert probe["accuracy"] == pytest.approx(1 / 3)  # nothing gets through the blind block


def test_an_interrupted_study_goes_on_to_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: tuple[Path, TransferResult]
) -> None:
    measure, done = module.measure, []

    def interrupted(work: Any, task: dict[str, Any]) -> dict[str, Any]:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(task)
        return measure(work, task)

    monkeypatch.setattr(module, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, frozen=[0, 4])
    assert len(list(tmp_path.glob("*.json"))) == 3
    (next(tmp_path.glob("*.json"))).write_text("{half")  # a damaged run only costs the work
    again: list[Any] = []
    monkeypatch.setattr(module, "measure", lambda work, task: (again.append(task), measure(work, task))[1])
    result = study(tmp_path, frozen=[0, 4])
    assert len(again) == 7 - 2
    for name in ("runs", "table"):
        made, whole = getattr(result, name), getattr(finished[1], name)
        whole = whole[whole["frozen"].isin([-1, 0, 4])].reset_index(drop=True)
        pd.testing.assert_frame_equal(made.drop(columns="seconds"), whole.drop(columns="seconds"))
    monkeypatch.setattr(module, "measure", interrupted)
    assert len(study(tmp_path, frozen=[0, 4]).runs) == 7  # everything is there, so nothing is run
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, frozen=[0, 4], training={**TRAINING, "epochs": 3})  # other settings are other runs


def test_processes_give_the_same_runs(finished: tuple[Path, TransferResult]) -> None:
    result = study(frozen=[4], seeds=[1], workers=2)
    shown = ["method", "frozen", "seed", "accuracy"]
    expected = finished[1].runs
    expected = expected[(expected["seed"] == 1) & expected["frozen"].isin([-1, 4])]
    own = result.runs[result.runs["method"] != PROBE]
    pd.testing.assert_frame_equal(own[shown].reset_index(drop=True), expected[shown].reset_index(drop=True))


def test_a_result_comes_back_from_disk(tmp_path: Path, finished: tuple[Path, TransferResult]) -> None:
    result = finished[1]
    result.save(tmp_path / "kept")
    again = TransferResult.load(tmp_path / "kept")
    assert again.advice().text == result.advice().text
    assert again.verdict() == result.verdict()
    (tmp_path / "kept" / "runs.parquet").unlink()
    with pytest.raises(StudyError, match="no complete transfer result"):
        TransferResult.load(tmp_path / "kept")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"frozen": [5]}, "has 4 blocks: choose 0 to 4"),
        ({"frozen": []}, "choose 0 to 4"),
        ({"seeds": 0}, "at least one is needed"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_what_cannot_run_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        study(**options)


# -- splitting ---------------------------------------------------------------------------------


def test_classes_are_split_and_numbered_anew(small_set: SequenceSet) -> None:
    names = ["a", "b", "c", "d", "e"]
    data = SequenceSet(
        [small_set.coords[0]] * 10, labels=np.arange(10) % 5, class_names=names, layout="kinect-v1",
        groups={"subject": np.arange(10)},
    )  # fmt: skip
    source, target = split_classes(data, 3)
    assert source.class_names == ("a", "b", "c")
    assert target.class_names == ("d", "e")
    np.testing.assert_array_equal(target.labels, [0, 1, 0, 1])
    np.testing.assert_array_equal(target.groups["subject"], [3, 4, 8, 9])
    source, target = split_classes(data, ["e", "b"])
    assert source.class_names == ("b", "e")
    np.testing.assert_array_equal(source.groups["subject"], [1, 4, 6, 9])
    np.testing.assert_array_equal(source.labels, [0, 1, 0, 1])
    for wrong in (1, 4, ["a"]):
        with pytest.raises(SequenceError, match="fewer than two on a side"):
            split_classes(data, wrong)
    with pytest.raises(SequenceError, match="no class is named 'f'"):
        split_classes(data, ["a", "f"])


# -- advice ------------------------------------------------------------------------------------


def runs(accuracies: dict[int, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"frozen": f, "seed": s, "accuracy": a} for f, each in accuracies.items() for s, a in enumerate(each)]
    )


def test_advice_is_the_one_standard_error_rule_by_hand() -> None:
    table = runs({0: [0.90, 0.94], 1: [0.91, 0.95], 2: [0.90, 0.92], 3: [0.70, 0.72]})
    advice = advise_frozen(table, smoothness=[0.4, 0.3, 0.25, 0.25])
    variances = [np.var([0.90, 0.94], ddof=1)] * 2 + [np.var([0.90, 0.92], ddof=1)] * 2
    error = np.sqrt(np.mean(variances) * (1 / 2 + 1 / 2))
    rows = advice.evidence.set_index("frozen")
    assert rows.loc[2, "standard_error"] == pytest.approx(error)
    assert rows.loc[2, "behind"] == pytest.approx(0.02)
    assert 0.02 < error < 0.22
    assert advice.frozen == 2
    assert advice.by_smoothness == 3
    assert rows["as_good"].tolist() == [True, True, True, False]
    assert "within one standard error" in advice.text
    assert "21.0" not in advice.text
    assert "22.0 points behind" in advice.text


def test_advice_without_seeds_takes_no_chance() -> None:
    advice = advise_frozen(runs({0: [0.9], 1: [0.9], 2: [0.89]}))
    assert advice.frozen == 1
    assert advice.by_smoothness is None
    assert "smoothness" not in advice.text


@pytest.mark.parametrize(
    ("table", "smoothness", "words"),
    [
        (pd.DataFrame({"frozen": [0]}), None, "columns frozen and accuracy"),
        (runs({}), None, "columns frozen and accuracy"),
        (runs({0: [0.5], 3: [0.5]}), [0.1, 0.2], "0 .the input. to 3"),
        (runs({0: [0.5]}), [np.nan], "one number per layer"),
    ],
)
def test_advice_of_nothing(table: pd.DataFrame, smoothness: Any, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        advise_frozen(table, smoothness=smoothness)


# -- verdict -----------------------------------------------------------------------------------


def made(shares: dict[tuple[str, int], float], *, N: int = 400, seeds: int = 3) -> TransferResult:
    """A result whose methods are right on the first share of the recordings."""
    rows = []
    for (method, frozen), share in shares.items():
        for seed in range(seeds if method != PROBE else 1):
            right = np.random.default_rng([seed, abs(frozen), len(method)]).permutation(N) < share * N
            own = {"node": np.arange(N), "label": 0, "predicted": 1 - right.astype(int), "correct": right}
            rows.append(pd.DataFrame({"method": method, "frozen": frozen, "seed": seed} | own))
    settings = {
        "blocks": 4, "frozen": [0, 2, 4], "seeds": list(range(seeds)), "groups": None, "n": N, "confidence": 0.95,
        "bootstrap": 500, "seed": 0,
    }  # fmt: skip
    empty = pd.DataFrame()
    return TransferResult(empty, empty, pd.concat(rows), empty, empty, settings)


@pytest.mark.parametrize(
    ("half", "none", "scratch", "every", "holds"),
    [
        (0.90, 0.90, 0.60, 0.50, True),
        (0.90, 0.90, 0.60, 0.90, True),  # not even the deeper blocks need tuning
        (0.60, 0.90, 0.60, 0.50, False),  # freezing half costs much
        (0.70, 0.70, 0.90, 0.50, False),  # training from scratch is better
        (0.90, 0.90, 0.90, 0.50, None),  # and here no worse
        (0.86, 0.91, 0.60, 0.50, None),  # about the margin
    ],
)
def test_the_claim_can_be_answered_either_way(
    half: float, none: float, scratch: float, every: float, holds: bool | None
) -> None:
    shares = {("frozen", 0): none, ("frozen", 2): half, ("frozen", 4): every, (SCRATCH, -1): scratch, (PROBE, -1): 0.5}
    verdict = judge_transfer(made(shares))
    assert verdict.holds is holds, verdict.text
    assert verdict.numbers["enough"]["value"] == pytest.approx(half - none, abs=0.003)
    assert ("hardly have to be tuned" in verdict.text) == (every >= half)
    words = {True: "holds on", False: "does not hold", None: "is not decided"}[holds]
    assert words in verdict.text
    assert 0 < MARGIN < 0.1


def test_a_verdict_needs_a_middle() -> None:
    result = made({("frozen", 0): 0.5})
    result.settings["frozen"] = [0, 4]
    with pytest.raises(StudyError, match="between 0 and 4"):
        judge_transfer(result)


def test_intervals_resample_what_is_named_whoever_is_a_neighbour(tmp_path: Path) -> None:
    days = np.arange(36) % 3
    short = {"frozen": [0, 2, 4], "seeds": 1, "training": {**TRAINING, "epochs": 1}}
    made = study(groups=days, group="day", resample=np.arange(36) // 9, unit="hall", **short)
    made.save(tmp_path / "kept")
    back = TransferResult.load(tmp_path / "kept")
    assert back.settings["neighbours"] == "other days"
    np.testing.assert_array_equal(back.counts(), bootstrap_counts(36, draws=200, groups=np.arange(36) // 9))
    assert "accuracy on 36 test recordings of 4 halls is" in back.verdict().text
    alone = study(resample="recordings", **short)
    np.testing.assert_array_equal(alone.counts(), bootstrap_counts(36, draws=200))
    assert "accuracy on 36 test recordings is" in alone.verdict().text
