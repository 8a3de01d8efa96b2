"""Leakage between the parts of a split: planted copies are found, different performances are not, and words fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stgcnlib import SequenceSet, find_leakage
from stgcnlib.demo import demo_sequences
from stgcnlib.dtw import dtw_distances
from stgcnlib.errors import SequenceError
from stgcnlib.leakage import EQUAL, NEAR_EQUAL, SAME_PERFORMANCE, Leakage
from stgcnlib.skeleton import graph_layout
from stgcnlib.transforms import normalize

TRAIN = [1, 3]


@pytest.fixture(scope="module")
def people() -> SequenceSet:
    return demo_sequences(subjects=4, repeats=2, seed=0)


def planted(people: SequenceSet, copies: dict[int, np.ndarray], **changed: object) -> tuple[SequenceSet, SequenceSet]:
    """Prepared parts in which some test recordings (by their index in the test part) are these."""
    train, test = people.split("subject", TRAIN)
    coords = [copies.get(i, c) for i, c in enumerate(test.coords)]
    test = SequenceSet(
        coords, labels=changed.get("labels", test.labels), class_names=test.class_names, groups=test.groups,
        layout=test.layout, names=test.names,
    )  # fmt: skip
    return normalize(train), normalize(test)


def test_different_performances_are_no_leak(people: SequenceSet) -> None:
    """Of other people, and of the same people at another time."""
    prepared = normalize(people)
    for by, values in (("subject", TRAIN), ("trial", [1])):
        found = find_leakage(*prepared.split(by, values))
        assert len(found.pairs) == 0
        assert len(found.repeats) == 0
        assert found.sentences() == []
        assert found.notes() == []
        assert found.in_short() == "no equal or nearly equal recordings"


def test_an_equal_recording_is_named(people: SequenceSet) -> None:
    train, _ = people.split("subject", TRAIN)
    found = find_leakage(*planted(people, {3: train.coords[5].copy()}))
    (pair,) = found.of(EQUAL).to_dict("records")
    assert (pair["train_index"], pair["test_index"], pair["distance"]) == (5, 3, 0.0)
    assert pair["train"] == train.names[5]
    assert len(found.of(NEAR_EQUAL)) == 0  # an equal pair is not told twice
    first = found.sentences()[0]
    count = found.facts["test"]
    assert first.startswith(f"1 of {count} test recordings ({1 / count:.0%}) equals a training recording number for")
    assert "data.drop_duplicates: true" in first
    assert "All test recordings of" not in first
    assert found.in_short() == "1 test recording equals a training one"


@pytest.mark.parametrize(
    ("kind", "near"),
    [
        ("moved, turned and scaled", True),
        ("rounded to a millimetre", True),
        ("noise of half a millimetre", True),
        ("other numbers", False),
        ("half as many frames", False),
    ],
)
def test_a_disturbed_copy_is_near_equal(people: SequenceSet, kind: str, near: bool) -> None:
    rng = np.random.default_rng(0)
    train, _ = people.split("subject", TRAIN)
    copies = {}
    for i, c in enumerate(train.coords[:6]):
        match kind:
            case "moved, turned and scaled":
                turn = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], dtype=float)
                copies[i] = 1.3 * c @ turn + [1, 0, 2]
            case "rounded to a millimetre":
                copies[i] = np.round(c, 3)
            case "noise of half a millimetre":
                copies[i] = c + rng.normal(0, 0.0005, c.shape)
            case "other numbers":
                copies[i] = c + rng.normal(0, 0.1, c.shape)
            case "half as many frames":
                copies[i] = c[::2]
    found = find_leakage(*planted(people, copies)).of(NEAR_EQUAL)
    pairs = set(zip(found["train_index"], found["test_index"], strict=True))
    assert pairs == ({(i, i) for i in range(6)} if near else set())


def test_near_equal_pairs_are_those_of_all_distances(people: SequenceSet) -> None:
    """Against plain distances, with a threshold that takes some performances for others."""
    train, test = (normalize(part) for part in people.split("subject", TRAIN))
    plain = np.array(
        [
            [float(dtw_distances([test.sequence(j)], [train.sequence(i)])[0, 0]) for i in range(8)]
            for j in range(8)
        ]
    )  # fmt: skip
    found = find_leakage(train.select(range(8)), test.select(range(8)), near=0.5).of(NEAR_EQUAL)
    share = plain / np.median(plain)
    assert 0 < len(found) < 64
    assert {(row.test_index, row.train_index) for row in found.itertuples()} == set(
        zip(*(axis.tolist() for axis in np.nonzero(share <= 0.5)), strict=True)
    )
    for row in found.itertuples():
        assert row.distance == pytest.approx(share[row.test_index, row.train_index], rel=1e-4)


def test_people_of_unequal_number_can_be_compared() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(9, 20, 3)), rng.normal(size=(2, 9, 20, 3))
    train = SequenceSet([one, two], layout="kinect-v1")
    test = SequenceSet([two + 1e-5, one], layout="kinect-v1")
    found = find_leakage(train, test)
    assert found.pairs[["kind", "train_index", "test_index"]].to_numpy().tolist() == [
        [EQUAL, 0, 1],
        [NEAR_EQUAL, 1, 0],
    ]


def test_recordings_with_targets_need_no_classes() -> None:
    series = np.random.default_rng(0).normal(size=(6, 12, 3, 1)).cumsum(axis=1)
    coords = [*series, series[1], series[2] + 1e-6]
    data = SequenceSet(
        coords, targets=np.arange(8.0), groups={"day": [0] * 6 + [1] * 2}, layout=graph_layout("road", [(0, 1), (1, 2)])
    )
    found = find_leakage(*data.split("day", [0]))
    assert found.pairs[["kind", "train_index", "test_index"]].to_numpy().tolist() == [
        [EQUAL, 1, 0],
        [NEAR_EQUAL, 2, 1],
    ]
    assert len(found.sentences()) == 2
    assert not any("class" in sentence for sentence in found.sentences())


def test_too_many_pairs_are_not_compared_and_that_is_said(people: SequenceSet) -> None:
    train, _ = people.split("subject", TRAIN)
    parts = planted(people, {0: train.coords[0].copy(), 1: train.coords[1] + np.float32(1)})
    found = find_leakage(*parts, most_pairs=10)
    assert found.pairs["kind"].tolist() == [EQUAL]
    (note,) = found.notes()
    assert note.startswith("Nearly equal recordings were not looked for")
    assert find_leakage(*parts, near=0).notes() == []


def test_equal_recordings_with_two_labels_are_named(people: SequenceSet) -> None:
    train, test = people.split("subject", TRAIN)
    labels = test.labels.copy()
    labels[0] = (train.labels[0] + 1) % len(train.class_names)
    labels[2], labels[4] = 0, 1
    same = test.coords[2]
    found = find_leakage(*planted(people, {0: train.coords[0].copy(), 4: same.copy()}, labels=labels))
    said = " ".join(found.sentences())
    assert "2 pairs of equal recordings have two different labels" in said
    for name in (train.names[0], test.names[0], test.names[2], test.names[4]):
        assert repr(name) in said
    assert "In the test part, 1 recording equals an earlier one" in said


def test_a_class_that_is_copied_whole_is_named_and_missing_without_it(people: SequenceSet) -> None:
    train, test = people.split("subject", TRAIN)
    mine = np.flatnonzero(test.labels == 2)
    source = np.flatnonzero(train.labels == 2)
    parts = planted(people, {int(j): train.coords[i].copy() for i, j in zip(source, mine, strict=True)})
    name = train.class_names[2]
    before = find_leakage(*parts)
    assert f"All test recordings of 1 class are among them: {name!r}." in before.sentences()[0]
    kept = parts[1].select(np.setdiff1d(np.arange(len(test)), mine))
    after = find_leakage(parts[0], kept)
    after = replace(after, repeats=before.repeats, facts=after.facts | {"dropped": True})
    classes = len(np.unique(train.labels))
    assert after.sentences() == [
        f"1 of {classes} classes has no test recording left: {name!r}. What is measured on the test part says nothing "
        "about it."
    ]
    (note,) = after.notes()
    assert note.startswith(f"{len(mine)} of {len(test)} test recordings were left out (data.drop_duplicates)")
    assert f"{len(mine)} of {name!r}" in note
    assert after.in_short() == f"{len(mine)} equal recordings left out"


def multiview(groups: dict[str, list[int]]) -> SequenceSet:
    rng = np.random.default_rng(0)
    count = len(next(iter(groups.values())))
    return SequenceSet(
        list(rng.normal(size=(count, 8, 20, 3))), labels=[0, 0, 0, 1, 1, 1], class_names=["a", "b"], groups=groups,
        layout="kinect-v1",
    )  # fmt: skip


@pytest.mark.parametrize(("place", "time"), [("view", "trial"), ("camera", "replication")])
def test_one_performance_from_two_places(place: str, time: str) -> None:
    groups = {"subject": [1] * 6, place: [1, 2, 3, 1, 2, 3], time: [0, 0, 0, 0, 0, 5]}
    found = find_leakage(*multiview(groups).split(place, [1, 2]))
    rows = found.of(SAME_PERFORMANCE)
    assert list(zip(rows["train"], rows["test"], strict=True)) == [
        ("recording 0", "recording 2"),
        ("recording 1", "recording 2"),
    ]
    assert rows["why"].tolist()[0] == f"subject 1, {time} 0; {place} 1 and 3"
    assert found.sentences() == []  # information, no fault
    assert "1 of 2 test recordings (50%) shows a performance that was trained on from another view" in found.notes()[0]
    assert found.in_short() == "no equal or nearly equal recordings"


@pytest.mark.parametrize("gone", ["subject", "view", "trial"])
def test_performances_need_all_groups_that_tell_them(gone: str) -> None:
    groups = {"subject": [1] * 6, "view": [1, 2, 3, 1, 2, 3], "trial": [0] * 6, "part": [1, 1, 2, 1, 1, 2]}
    del groups[gone]
    assert len(find_leakage(*multiview(groups).split("part", [1])).pairs) == 0


def test_saved_and_loaded_it_says_the_same(people: SequenceSet, tmp_path: Path) -> None:
    train, _ = people.split("subject", TRAIN)
    found = find_leakage(*planted(people, {0: train.coords[0].copy(), 1: train.coords[1] + np.float32(1)}))
    found.save(tmp_path / "leakage")
    again = Leakage.load(tmp_path / "leakage")
    assert again.sentences() == found.sentences() != []
    assert again.pairs.equals(found.pairs)
    (tmp_path / "leakage" / "pairs.parquet").unlink()
    with pytest.raises(SequenceError, match="no complete Leakage"):
        Leakage.load(tmp_path / "leakage")


def test_what_does_not_fit_is_refused(people: SequenceSet) -> None:
    train, test = people.split("subject", TRAIN)
    other = SequenceSet([np.ones((4, 20, 3))], layout="kinect-v1")
    with pytest.raises(SequenceError, match="parts of one set"):
        find_leakage(train, other)
    with pytest.raises(SequenceError, match="near=1"):
        find_leakage(train, test, near=1.0)


def test_northwestern_ucla(data_folder: Path) -> None:
    """The copy in public use: view 3 holds copies of view 2 for all of two classes."""
    from stgcnlib.readers import read

    data = normalize(read(data_folder / "nw_ucla"), per="frame")
    found = find_leakage(*data.split("view", [1, 2]), near=0)
    (sentence,) = found.sentences()
    assert sentence.startswith(
        "95 of 464 test recordings (20%) equal a training recording number for number. "
        "All test recordings of 2 classes are among them: 'pick up with two hands', 'drop trash'."
    )
    assert found.of(EQUAL)["test_class"].value_counts().to_dict() == {"pick up with two hands": 50, "drop trash": 45}
    assert "455 of 464 test recordings (98%)" in found.notes()[0]
