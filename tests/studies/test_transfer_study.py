"""Transfer: a planted truth, fits that are kept, and classes that are split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from planted import BLIND, planted_recordings, planted_source

from stgcnlib.errors import SequenceError, StudyError
from stgcnlib.geometry.uncertainty import deletion_groups
from stgcnlib.sequences import SequenceSet
from stgcnlib.studies import split_classes, transfer_fits, transfer_study
from stgcnlib.studies import transfer as module
from stgcnlib.studies.transfer import TransferResult
from stgcnlib.studies.transfer_plan import PROBE, plan_fits, validation_part, validation_unit
from stgcnlib.verdicts import advise_frozen, judge_transfer

TRAINING = {"epochs": 10, "learning_rate": 0.05, "augment": False, "batch_size": 12}


def study(folder: Path | None = None, **options: Any) -> TransferResult:
    train, test = planted_recordings(24, 1), planted_recordings(36, 2)
    chosen: dict[str, Any] = {"seeds": 2, "training": TRAINING, "permutations": 10, "workers": 1}
    return transfer_study(
        planted_source(), train, test, folder=folder, **{"groups": test.groups["subject"], **chosen, **options}
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TransferResult]:
    folder = tmp_path_factory.mktemp("fits")
    return folder, study(folder)


def test_where_only_late_blocks_differ_the_early_ones_are_to_be_frozen(finished: tuple[Path, TransferResult]) -> None:
    result = finished[1]
    frozen = result.table[result.table["method"] == "frozen"].set_index("frozen")["accuracy"]
    assert (frozen.loc[:BLIND] > 0.85).all()
    assert (frozen.loc[BLIND + 1 :] < 0.5).all()
    advice = advise_frozen(result)
    assert advice.numbers["frozen"] == BLIND
    assert advice.numbers["by_smoothness"] == BLIND
    assert "both agree" in advice.text
    assert f"Freeze the first {BLIND} of 4 blocks" in advice.text
    smoothness = result.smoothness.set_index("index")["smoothness"]
    assert smoothness.loc[BLIND] < 0.2
    assert smoothness.loc[BLIND + 1] > 0.5


def test_tables_agree_with_the_runs(finished: tuple[Path, TransferResult]) -> None:
    result = finished[1]
    assert len(result.fits) == 2 * (5 + 1 + 1)
    assert result.fits["validation"].between(0, 1).all()
    assert (result.fits["source"] == 0).all()
    for row in result.table.itertuples():
        fits = result.fits[(result.fits["method"] == row.method) & (result.fits["frozen"] == row.frozen)]
        assert row.accuracy == pytest.approx(fits["accuracy"].mean())
        assert row.low - 1e-9 <= row.accuracy <= row.high + 1e-9
        assert row.change_low - 1e-9 <= row.change <= row.change_high + 1e-9
        assert row.validation == pytest.approx(fits["validation"].mean())
    rows = result.predictions.groupby(["method", "frozen", "seed"])["correct"].mean()
    np.testing.assert_allclose(
        rows.sort_index(), result.fits.set_index(["method", "frozen", "seed"])["accuracy"].sort_index()
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
    (next(tmp_path.glob("*.json"))).write_text("{half")  # a damaged file only costs the work
    again: list[Any] = []
    monkeypatch.setattr(module, "measure", lambda work, task: (again.append(task), measure(work, task))[1])
    result = study(tmp_path, frozen=[0, 4])
    assert len(again) == 8 - 2
    for name in ("fits", "table"):
        made, whole = getattr(result, name), getattr(finished[1], name)
        whole = whole[whole["frozen"].isin([-1, 0, 4])].reset_index(drop=True)
        pd.testing.assert_frame_equal(made.drop(columns="seconds"), whole.drop(columns="seconds"))
    monkeypatch.setattr(module, "measure", interrupted)
    assert len(study(tmp_path, frozen=[0, 4]).fits) == 8  # everything is there, so nothing is fitted
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, frozen=[0, 4], training={**TRAINING, "epochs": 3})  # other settings are other fits


def test_processes_give_the_same_runs(finished: tuple[Path, TransferResult]) -> None:
    result = study(frozen=[4], seeds=2, workers=2)
    shown = ["method", "frozen", "seed", "accuracy"]
    expected = finished[1].fits
    expected = expected[expected["frozen"].isin([-1, 4])]
    pd.testing.assert_frame_equal(result.fits[shown].reset_index(drop=True), expected[shown].reset_index(drop=True))


def test_a_result_comes_back_from_disk(tmp_path: Path, finished: tuple[Path, TransferResult]) -> None:
    result = finished[1]
    result.save(tmp_path / "kept")
    again = TransferResult.load(tmp_path / "kept")
    assert advise_frozen(again).text == advise_frozen(result).text
    assert judge_transfer(again) == judge_transfer(result)
    (tmp_path / "kept" / "fits.parquet").unlink()
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


def test_classes_without_recordings_do_not_count(small_set: SequenceSet) -> None:
    data = SequenceSet(
        [small_set.coords[0]] * 8, labels=np.array([1, 2, 4, 5] * 2), class_names=list("abcdef"), layout="kinect-v1",
        groups={"subject": np.arange(8)},
    )  # fmt: skip
    source, target = split_classes(data, 2)
    assert source.class_names == ("b", "c")
    assert target.class_names == ("a", "d", "e", "f")
    np.testing.assert_array_equal(target.groups["subject"], [2, 3, 6, 7])
    with pytest.raises(SequenceError, match=r"3 of 4 classes .* fewer than two .*there are: 'b', 'c', 'e', 'f'"):
        split_classes(data, 3)
    with pytest.raises(SequenceError, match=r"no recording is of class 'a'; .*there are: 'b', 'c', 'e', 'f'"):
        split_classes(data, ["a", "b"])


def test_a_probe_as_good_as_tuning_is_the_advice(finished: tuple[Path, TransferResult]) -> None:
    result = finished[1]
    assert advise_frozen(result).sentence == f"Freeze the first {BLIND} of 4 blocks."
    fits = result.fits.copy()
    fits.loc[fits["method"] == PROBE, "validation"] = 1.0
    advice = advise_frozen(replace(result, fits=fits))
    assert advice.sentence == (
        "Tune no block: a linear probe on the fixed features is as good. "
        f"If you tune, freeze the first {BLIND} of 4 blocks."
    )
    assert advice.numbers["frozen"] == BLIND
    assert "The probe's validation accuracy is 100.0%" in advice.text


def test_intervals_leave_out_what_is_named_whoever_is_a_neighbour(tmp_path: Path) -> None:
    days, halls = np.arange(36) % 3, np.arange(36) // 9
    short = {"frozen": [0, 2, 4], "seeds": 1, "training": {**TRAINING, "epochs": 1}}
    made = study(groups=days, group="day", resample=halls, unit="hall", **short)
    made.save(tmp_path / "kept")
    back = TransferResult.load(tmp_path / "kept")
    assert back.settings["neighbours"] == "other days"
    np.testing.assert_array_equal(back.jackknife.parts, halls)
    assert "accuracy on 36 test recordings of 4 halls is" in judge_transfer(back).text
    assert "too few people to spare one" in advise_frozen(back).text  # the training part knows no days
    alone = study(resample="recordings", **short)
    np.testing.assert_array_equal(alone.jackknife.parts, deletion_groups(36))
    assert "accuracy on 36 test recordings is" in judge_transfer(alone).text


# -- sources and validation --------------------------------------------------------------------


def test_fits_begin_at_one_source_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [planted_source(), planted_source()]
    with torch.no_grad():
        sources[1].blocks[0][0].weight.mul_(-1)
    seen = []
    measure = transfer_fits.fine_tune

    def spied(network: Any, train: SequenceSet, **options: Any) -> Any:
        seen.append((options["seed"], network.blocks[0][0].weight.sum().item(), train.fingerprint()))
        return measure(network, train, **options)

    monkeypatch.setattr(transfer_fits, "fine_tune", spied)
    train, test = planted_recordings(24, 1), planted_recordings(36, 2)
    result = transfer_study(
        sources, train, test, frozen=[0, 2], seeds=3, training={**TRAINING, "epochs": 1}, workers=1, permutations=10,
        groups=test.groups["subject"],
    )  # fmt: skip
    sums = [each.blocks[0][0].weight.sum().item() for each in sources]
    for seed, total, data in seen:
        assert total == pytest.approx(sums[seed % 2])
        assert data == train.select(~validation_part(train, seed, by="subject")).fingerprint()
    assert result.fits.groupby("seed")["source"].unique().map(list).tolist() == [[0], [1], [0]]
    assert set(result.smoothness_each["member"]) == {"trained", "trained-2"}
    assert "(2 source networks, 3 fits of each kind)" in judge_transfer(result).sentence
    assert "2 source networks" in advise_frozen(result).details


def test_everybody_is_held_out_once_before_somebody_is_again() -> None:
    train = planted_recordings(48, 1)
    assert validation_unit(train, "subject") == "subject"
    subjects = train.groups["subject"]
    held = [np.unique(subjects[validation_part(train, n, by="subject")]) for n in range(4)]
    assert all(len(each) == 1 for each in held)
    assert len(np.unique(np.concatenate(held))) == 4
    np.testing.assert_array_equal(*(validation_part(train, n, by="subject") for n in (0, 4)))
    two = train.select(np.isin(subjects, [0, 1]))
    assert validation_unit(two, "subject") is None
    part = validation_part(two, 0, by="subject")
    assert [part[two.labels == c].sum() for c in range(3)] == [2, 2, 2]  # a fifth of eight
    with pytest.raises(SequenceError, match="too few to take a validation part"):
        validation_part(train.select([0, 1, 2]), 0, by="day")


def test_no_fit_sees_who_chooses_or_tests() -> None:
    plan = plan_fits(planted_source(), None, 5, sources=3)
    assert plan["sources"] == 3
    assert len(plan["fits"]) == 5 * (5 + 2)
    assert all(fit["seed"] == fit["number"] for fit in plan["fits"])
    assert plan_fits(planted_source(), None, [7, 9], sources=3)["sources"] == 2


def of_sources(effects: list[float], sources: int) -> TransferResult:
    """Two methods whose fits differ by so much of 1,000 recordings; nothing else differs."""
    count, rows = 1000, []
    for number, effect in enumerate(effects):
        for frozen, right in ((0, 500), (2, 500 + round(count * effect))):
            rows.append(pd.DataFrame({
                "method": "frozen", "frozen": frozen, "number": number, "node": np.arange(count),
                "correct": np.random.default_rng(0).permutation(count) < right,
            }))  # fmt: skip
    nothing = pd.DataFrame()
    settings = {"parts": (np.arange(count) % 20).tolist(), "confidence": 0.95, "sources": sources, "frozen": [0, 2]}
    return TransferResult(nothing, nothing, pd.concat(rows), nothing, nothing, settings)


def test_fits_of_one_source_are_alike() -> None:
    """Six fits of two source networks whose effects are +2 and -2 points: two values, not six."""
    alike = of_sources([0.02, -0.02] * 3, 2).difference(("frozen", 2), ("frozen", 0))
    apart = of_sources([0.02, -0.02] * 3, 6).difference(("frozen", 2), ("frozen", 0))
    assert alike["value"] == pytest.approx(0)
    assert alike["se"] >= 0.02 > 0.01 > apart["se"]
    assert alike["high"] > 5 * apart["high"]
