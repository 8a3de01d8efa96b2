"""Summaries: the numbers by hand, each warning where it belongs, and none for sound data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib.demo import demo_sequences
from stgcnlib.readers import read
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import LAYOUTS, SkeletonLayout
from stgcnlib.summary import Summary, summarize
from stgcnlib.transforms import normalize


@pytest.fixture(scope="module")
def people() -> SequenceSet:
    return demo_sequences(subjects=3, repeats=2, seed=0)


def warned(data: SequenceSet, text: str) -> bool:
    return any(text in warning for warning in summarize(data).warnings)


def test_numbers() -> None:
    coords = [np.ones((2, 4, 25, 3)), np.full((6, 25, 3), 2.0), np.full((3, 25, 3), 2.0)]
    coords[0][1, 1:] = 0  # the second person is there in one frame of four
    coords[1][0, :5] = 0
    coords[2][0] = 0
    data = SequenceSet(
        coords, labels=[2, 0, 2], class_names=["a", "b", "c"], groups={"subject": [10, 9, 10], "day": ["x", "y", "y"]}
    )
    summary = summarize(data)
    assert (summary.recordings, summary.frames) == (3, 13)
    assert summary.lengths == (3, 4.0, pytest.approx(13 / 3), 6)
    assert summary.layout == ("ntu-rgb+d", 25, 3)
    assert summary.people == {1: 2, 2: 1}
    assert summary.classes == {"a": 1, "b": 0, "c": 2}
    assert summary.groups == {"subject": {"9": 1, "10": 2}, "day": {"x": 1, "y": 2}}
    assert list(summary.groups["subject"]) == ["9", "10"]
    assert summary.missing_people == pytest.approx(4 / 17)
    assert summary.missing_joints == pytest.approx(5 / (13 * 25))


def test_size_of_a_body() -> None:
    coords = np.zeros((3, 25, 3))
    coords[:, :, 1] = np.linspace(1, 3, 25)
    assert summarize(SequenceSet([coords])).body_size == pytest.approx(2)


def test_sound_data_give_no_warning(people: SequenceSet) -> None:
    assert summarize(people).warnings == ()
    assert summarize(normalize(people)).warnings == ()


def test_real_data(data_folder: Path) -> None:
    assert summarize(read(data_folder / "utd_mhad")).warnings == ()
    ntu = summarize(read(data_folder / "ntu_samples"))
    assert len(ntu.warnings) == 1
    assert "classes with a single recording" in ntu.warnings[0]
    assert 1.2 < ntu.body_size < 1.9
    kinetics = summarize(read(data_folder / "kinetics_samples"))
    assert kinetics.missing_joints > 0.3
    assert any("of all joints are missing (zero), most of all right ankle" in w for w in kinetics.warnings)


def test_northwestern_ucla_oddities(data_folder: Path) -> None:
    single, equal = summarize(read(data_folder / "nw_ucla")).warnings
    assert single == (
        "2 of 1484 recordings have one frame only, which is no motion: 'a02_s09_e04_v02', 'a02_s09_e04_v03'"
    )
    assert equal.startswith("95 recordings equal another number for number")


@pytest.mark.parametrize(
    ("factor", "guess"),
    [(1000, "millimetres; divide by 1000"), (100, "centimetres or inches"), (0.01, "something else")],
)
def test_unit(people: SequenceSet, factor: float, guess: str) -> None:
    other = people.with_coords([factor * c for c in people.coords])
    (warning,) = summarize(other).warnings
    assert warning.startswith("bodies are ")
    assert guess in warning


def test_pixels_are_no_wrong_unit() -> None:
    coords = np.random.default_rng(0).uniform(10, 900, (2, 8, 17, 3))
    assert not warned(SequenceSet(list(coords), layout="coco-17"), "unit looks like")


def test_single_frames_and_stillness(people: SequenceSet) -> None:
    coords = list(people.coords)
    coords[3] = coords[3][:1]
    coords[5] = np.repeat(coords[5][:1], 20, axis=0)
    warnings = summarize(people.with_coords(coords)).warnings
    assert warnings == (
        f"1 of {len(people)} recordings has one frame only, which is no motion: {people.names[3]!r}",
        f"1 of {len(people)} recordings has no motion at all: {people.names[5]!r}",
    )


def test_equal_recordings(people: SequenceSet) -> None:
    coords = list(people.coords)
    coords[7] = coords[2].copy()
    (warning,) = summarize(people.with_coords(coords)).warnings
    assert "1 recordings equal another" in warning
    assert f"{people.names[7]} = {people.names[2]}" in warning


def test_joints_never_found_and_joints_that_stay(people: SequenceSet) -> None:
    coords = [c.copy() for c in people.coords]
    for c in coords:
        c[:, 23] = 0
        c[:, 7] = (0.1, 0.2, 0.3)
    warnings = summarize(people.with_coords(coords)).warnings
    assert "never found, zero in every frame: joint right hand tip" in warnings
    assert "stays at one place in each recording, however the body moves: joint left hand" in warnings


def test_many_missing_joints(people: SequenceSet) -> None:
    rng = np.random.default_rng(0)
    coords = [np.where(rng.random((*c.shape[:2], 1)) < 0.3, 0, c) for c in people.coords]
    summary = summarize(people.with_coords(coords))
    assert summary.missing_joints == pytest.approx(0.3, abs=0.01)
    assert any("30% of all joints are missing (zero), most of all" in warning for warning in summary.warnings)


@given(st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_joints_in_any_other_order(seed: int) -> None:
    data = demo_sequences(subjects=2, repeats=1, seed=0)
    order = np.random.default_rng(seed).permutation(len(data.layout))
    assert warned(
        data.with_coords([c[:, order] for c in data.coords]), "the order of the joints is hardly that of layout"
    )


def test_unstable_bones(people: SequenceSet) -> None:
    rng = np.random.default_rng(0)
    noisy = [c + rng.normal(0, 0.15, c.shape) for c in people.coords]
    assert warned(people.with_coords(noisy), "bones change their length by more than 25% within a recording")
    coords = list(people.coords)
    coords[4] = noisy[4]
    (warning,) = summarize(people.with_coords(coords)).warnings
    assert warning == (
        f"1 of {len(people)} recordings has bones whose length changes throughout, so the tracking is poor: "
        f"{people.names[4]!r}"
    )


def test_labels(people: SequenceSet) -> None:
    unlabelled = SequenceSet(people.coords, layout=people.layout)
    assert warned(unlabelled, "all recordings are of one class, 'class 0': are the labels missing?")
    labels = people.labels.copy()
    labels[:] = 0
    labels[-1] = 1
    one = SequenceSet(people.coords, labels=labels, class_names=["walk", "jump"], layout=people.layout)
    assert summarize(one).warnings == ("classes with a single recording, too few to compare: 'jump'",)


@given(st.sampled_from(sorted(LAYOUTS)), st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**31), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_nothing_is_too_odd(name: str, people: int, frames: int, seed: int, share: float) -> None:
    """Sparse, tiny and repeated recordings: numbers stay finite and shares are shares."""
    rng = np.random.default_rng(seed)
    layout = LAYOUTS[name]
    shape = (people, frames, len(layout))
    coords = [np.where(rng.random((*shape, 1)) < share, 0, rng.normal(0, 1, (*shape, 3))) for _ in range(3)]
    coords[0][0, 0, 0] = coords[1][0, 0, 0] = coords[2][0, 0, 0] = 1.0
    summary = summarize(SequenceSet(coords, layout=layout))
    assert isinstance(summary, Summary)
    assert 0 <= summary.missing_joints <= 1
    assert 0 <= summary.missing_people < 1
    assert np.isfinite(summary.body_size)
    assert all("nan" not in warning for warning in summary.warnings)


def test_layout_without_bones() -> None:
    loose = SkeletonLayout("sensors", ("a", "b", "c"), (), centre=0)
    data = SequenceSet([np.random.default_rng(0).normal(0, 1, (5, 3, 3))], layout=loose)
    assert summarize(data).recordings == 1
