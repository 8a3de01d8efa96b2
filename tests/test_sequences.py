"""SequenceSet: what it keeps, what it refuses and with which words, and its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib.errors import SequenceError, SkeletonFormatError, StgcnlibError
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

STICK = SkeletonLayout(
    name="stick", joints=("foot", "hip", "head"), bones=((0, 1), (2, 1)), centre=1, spine=(1, 2), limbs={"all": (0, 1)}
)
SIDES = {"subject": [1, 1, 2, 2, 3, 3, 4, 4]}


def sticks(*frames: int, channels: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(sum(frames))
    return [rng.normal(size=(T, 3, channels)).astype(np.float32) for T in frames]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    file = tmp_path / "set.npz"
    pair = np.ones((2, 4, 3, 3))
    SequenceSet([*sticks(5, 1), pair], labels=[0, 1, 1], groups={"subject": ["x", "y", "x"]}, layout=STICK).save(file)
    return file


# -- what it keeps --------------------------------------------------------------------------------


def test_sizes_views_and_defaults() -> None:
    data = SequenceSet([*sticks(5, 1), np.arange(72.0).reshape(2, 4, 3, 3) + 1], layout=STICK)
    assert (len(data), data.channels) == (3, 3)
    assert data.lengths.tolist() == [5, 1, 4]
    assert data.people_counts.tolist() == [1, 1, 2]
    assert data.people(0).shape == (1, 5, 3, 3)
    assert data.people(2).shape == (2, 4, 3, 3)
    assert data.labels.tolist() == [0, 0, 0]
    assert data.labels.dtype == np.int64
    assert data.class_names == ("class 0",)
    assert data.names[2] == "recording 2"
    assert all(c.dtype == np.float32 for c in data.coords)
    assert "3 recordings" in repr(data)
    assert "1-5 frames, 3 joints (stick), 3 channels" in repr(data)


def test_sequence_puts_people_beside_each_joint() -> None:
    pair = np.arange(72.0).reshape(2, 4, 3, 3) + 1
    data = SequenceSet([pair, pair[0]], layout=STICK)
    assert data.sequence(1).shape == (4, 9)
    np.testing.assert_array_equal(data.sequence(1)[2], pair[0, 2].ravel())
    np.testing.assert_array_equal(data.sequence(0)[2, :6], np.concatenate([pair[0, 2, 0], pair[1, 2, 0]]))


def test_padded_array_with_lengths() -> None:
    padded = np.full((2, 6, 3, 3), np.nan)
    padded[0, :4], padded[1] = 1.0, 2.0
    data = SequenceSet(padded, lengths=[4, 6], layout=STICK)
    assert data.lengths.tolist() == [4, 6]


def test_select_keeps_order_and_companions(small_set: SequenceSet) -> None:
    for which in ([5, 0], np.array([5, 0])):
        part = small_set.select(which)
        assert part.names == ("recording 5", "recording 0")
        assert part.labels.tolist() == [1, 0]
        assert part.groups["subject"].tolist() == [3, 1]
        np.testing.assert_array_equal(part.coords[0], small_set.coords[5])
    mask = small_set.labels == 1
    assert small_set.select(mask).names == tuple(f"recording {i}" for i in (1, 3, 5, 7))


def test_split(small_set: SequenceSet) -> None:
    train, test = small_set.split("subject", [1, 3])
    assert train.groups["subject"].tolist() == [1, 1, 3, 3]
    assert test.groups["subject"].tolist() == [2, 2, 4, 4]
    train, test = small_set.split("subject", [1], [4])
    assert (len(train), len(test)) == (2, 2)


def test_fingerprint_sees_every_part(small_set: SequenceSet) -> None:
    def same(**changes: Any) -> SequenceSet:
        parts: dict[str, Any] = {
            "coords": small_set.coords,
            "labels": small_set.labels,
            "class_names": small_set.class_names,
            "groups": small_set.groups,
            "layout": small_set.layout,
            "names": small_set.names,
        }
        return SequenceSet(**{**parts, **changes})

    assert same().fingerprint() == small_set.fingerprint()
    moved = [c.copy() for c in small_set.coords]
    moved[3][0, 0, 0] += 1e-3
    others = [
        same(coords=moved),
        same(coords=small_set.coords[::-1]),
        same(coords=[c[None] for c in small_set.coords]),
        same(labels=1 - small_set.labels),
        same(class_names=["wave", "kick!"]),
        same(groups={}),
        same(groups={"view": SIDES["subject"]}),
        same(layout="nw-ucla"),
        same(names=[n + "!" for n in small_set.names]),
    ]
    assert len({data.fingerprint() for data in [small_set, *others]}) == len(others) + 1


# -- what it refuses -------------------------------------------------------------------------------


def test_nan_joints_were_not_found() -> None:
    with_confidence = np.concatenate([sticks(4)[0], np.full((4, 3, 1), 0.5)], axis=2)
    with_confidence[1, 2, 1] = np.nan
    with_confidence[2, 0, 3] = np.nan
    data = SequenceSet([with_confidence], layout=STICK)
    assert data.coords[0][1, 2].tolist() == [0, 0, 0, 0]
    assert data.coords[0][2, 0, 3] == 1
    kept = np.ones((4, 3), dtype=bool)
    kept[1, 2] = kept[2, 0] = False
    np.testing.assert_array_equal(data.coords[0][kept], with_confidence[kept].astype(np.float32))
    assert np.isnan(with_confidence[1, 2, 1])  # what was given is not changed


def test_nan_is_refused_where_it_means_a_fault() -> None:
    """In signals on a graph, and in what a transform computed."""
    signals = np.ones((4, 3, 1))
    signals[2, 1] = np.nan
    graph = SkeletonLayout("line", ("a", "b", "c"), ((0, 1), (1, 2)), dimensions=0)
    with pytest.raises(SequenceError, match="1 coordinates are NaN or infinite, the first at frame 2, joint 1"):
        SequenceSet([signals], layout=graph)
    data = SequenceSet(sticks(4), layout=STICK)
    with pytest.raises(SequenceError, match="recording 0: 1 coordinates are NaN"):
        data.with_coords(with_value(np.nan)[1:])


def with_value(value: float) -> list[np.ndarray]:
    coords = sticks(5, 6)
    coords[1][3, 2, 0] = value
    return coords


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"coords": []}, "coords holds no recording"),
        (
            {"coords": with_value(np.inf)},
            r"recording 1: 1 coordinates are NaN or infinite, .* frame 3, joint 2 \(head\)",
        ),
        ({"coords": [np.full((2, 3, 3), 1e39)]}, "NaN or infinite"),
        ({"coords": [*sticks(5), np.zeros((4, 3, 3))]}, "recording 1: all coordinates are zero"),
        ({"coords": [np.ones((4, 5, 3))]}, "recording 0: coords have 5 joints, layout 'stick' has 3"),
        ({"coords": [np.ones((4, 9))]}, r"recording 0: coords have shape \(4, 9\); expected \(T, V, C\)"),
        ({"coords": [np.ones((0, 3, 3))]}, r"shape \(0, 3, 3\), which is empty"),
        ({"coords": [[[[1, 2], [3]]]]}, "recording 0: coords are not one array of real numbers"),
        ({"coords": [np.full((2, 3, 3), "a")]}, "not one array of real numbers .*<U1"),
        ({"coords": [np.ones((2, 3, 3)) * 1j]}, "not one array of real numbers .*complex"),
        ({"coords": [None]}, "recording 0: coords"),
        ({"coords": [*sticks(4), *sticks(4, channels=4)]}, r"recordings have \[3, 4\] channels"),
        ({"labels": [0]}, "labels has 1 entries for 2 recordings"),
        ({"labels": [0.0, 1.0]}, "labels have dtype float64"),
        ({"labels": 0}, r"labels have shape \(\); expected one value per recording"),
        ({"labels": [0, -1]}, "labels contain -1; classes count from 0"),
        ({"labels": [0, 2], "class_names": ["a", "b"]}, r"labels contain 2, but class_names has 2 names \(0 to 1\)"),
        ({"lengths": [5]}, "lengths has 1 entries for 2 recordings"),
        ({"lengths": [5, 9]}, "recording 1: lengths says 9 frames, the array holds 6"),
        ({"lengths": [0, 6]}, "recording 0: lengths says 0 frames"),
        ({"lengths": ["a", "b"]}, "lengths have dtype <U1"),
        ({"names": ["one"]}, "names has 1 entries for 2 recordings"),
        ({"names": ["one", "caf\udce9"]}, r"names: 'caf\\udce9' cannot be written as UTF-8; if it comes from the"),
        ({"class_names": ["\ud800"]}, r"class_names: '\\ud800' cannot be written"),
        ({"groups": {"subject": ["a", "\ud800"]}}, r"groups\['subject'\]: '\\ud800' cannot be written"),
        ({"groups": {"\ud800": [1, 2]}}, r"groups\['\\ud800'\]: '\\ud800' cannot be written"),
        ({"groups": {"subject": [1, 2, 3]}}, r"groups\['subject'\] has 3 entries for 2 recordings"),
        ({"groups": {"subject": [[1], [2]]}}, r"groups\['subject'\] have shape \(2, 1\)"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        SequenceSet(**{"coords": sticks(5, 6), "layout": STICK, **arguments})


def test_wrong_choices(small_set: SequenceSet) -> None:
    with pytest.raises(SequenceError, match="mask has 1 entries for 8 recordings"):
        small_set.select([True])
    with pytest.raises(SequenceError, match="no recording is left"):
        small_set.select(small_set.labels > 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("subjct", [1]), "there is no group 'subjct'; did you mean 'subject'"),
        (("subject", [1, 9]), "subject has no value 9; it has 1, 2, 3, 4"),
        (("subject", [1], [7]), "subject has no value 7"),
        (("subject", [1, 2], [2, 3]), "subject 2 would both train and test"),
        (("subject", [1, 2, 3, 4]), "no recording tests; name fewer values of subject in train"),
        (("subject", []), "no recording trains; name fewer values of subject in test"),
    ],
)
def test_wrong_splits(small_set: SequenceSet, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        small_set.split(*arguments)


def test_split_without_groups() -> None:
    with pytest.raises(SequenceError, match="the recordings have no groups"):
        SequenceSet(sticks(3), layout=STICK).split("subject", [1])


# -- files ------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, shapes: list[tuple[int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    coords = [rng.normal(size=(M, T, 3, 3) if M else (T, 3, 3)) for M, T in shapes]
    data = SequenceSet(
        coords,
        labels=rng.integers(0, 3, len(coords)),
        class_names=["ü", "<b>", "c"],
        groups={"subject": rng.integers(0, 9, len(coords)), "place": rng.choice(["left", "right"], len(coords))},
        layout=STICK,
        names=[f"recording {i}" for i in range(len(coords))],
    )
    file = tmp_path_factory.mktemp("round") / "set.npz"
    data.save(file)
    back = SequenceSet.load(file)
    assert back.fingerprint() == data.fingerprint()
    assert back.layout == data.layout
    assert [c.shape for c in back.coords] == [c.shape for c in data.coords]


@pytest.mark.parametrize("tenth", range(10))
def test_truncated(saved: Path, tenth: int) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: len(content) * tenth // 10])
    with pytest.raises(
        SkeletonFormatError, match=r"set\.npz: (not a readable stgcnlib file of recordings .*save it again|is empty)"
    ):
        SequenceSet.load(saved)


@pytest.mark.filterwarnings("error")
def test_flipped_bytes_are_noticed_or_harmless(saved: Path, rng: np.random.Generator) -> None:
    content, whole = saved.read_bytes(), SequenceSet.load(saved).fingerprint()
    for _ in range(300):
        damaged = bytearray(content)
        damaged[rng.integers(len(damaged))] = rng.integers(256)
        saved.write_bytes(damaged)
        try:
            data = SequenceSet.load(saved)
        except SkeletonFormatError as error:
            assert "set.npz" in str(error)  # noqa: PT017
        else:
            # zip checks the content but not names: a group may be lost, coordinates never change.
            assert data.fingerprint() == whole or set(data.groups) != {"subject"}


def test_pickle_is_refused(saved: Path) -> None:
    with np.load(saved) as arrays:
        content = {key: arrays[key] for key in arrays.files}
    np.savez(saved, **{**content, "labels": np.array([0, 1, {"a": 1}], dtype=object)}, allow_pickle=True)
    with pytest.raises(SkeletonFormatError, match=r"'labels.npy' holds object .* save it again"):
        SequenceSet.load(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": None}, "KeyError"),
        ({"header": None}, "KeyError"),
        ({"header": np.array("[]")}, "not a stgcnlib file of recordings"),
        ({"header": np.array("{")}, "not a readable stgcnlib file of recordings"),
        ({"header": np.array("[" * 100_000)}, "not a readable stgcnlib file of recordings"),
        ({"header": {"format": "other"}}, "not a stgcnlib file of recordings"),
        ({"header": {"version": 99}}, r"was written by a newer stgcnlib, in version 99 of its format"),
        ({"header": {"names": ["one"]}}, "names has 1 entries for 3 recordings"),
        ({"header": {"class_names": ["one"]}}, "labels contain 1, but class_names has 1 names"),
        ({"header": {"class_names": ["one", "\ud800"]}}, r"'\\ud800' cannot be written as UTF-8.*; .*save it again"),
        ({"group/subject": np.array(["a", "b", "\ud800"])}, "'group/subject' holds no text"),
        ({"header": {"layout": []}}, "not a readable stgcnlib file of recordings"),
        ({"lengths": np.array([5, 1, 5])}, "'lengths' sum to 16 but 'frames' has 14"),
        ({"lengths": np.array([2**62, 2**62, 1])}, "set.npz: "),
        ({"lengths": np.array([-1, 7, 4])}, "set.npz: "),
        ({"people": np.array([0, 0, -2])}, "set.npz: "),
        ({"frames": np.full((14, 3, 3), np.nan)}, "recording 0: all coordinates are zero"),
        ({"frames": np.ones((14, 4, 3))}, "4 joints, layout 'stick' has 3"),
        ({"labels": np.array([0, 1])}, "labels has 2 entries"),
        ({"group/subject": np.array(3)}, r"groups\['subject'\] have shape \(\)"),
    ],
)
def test_inconsistent_files(saved: Path, changes: dict[str, Any], message: str) -> None:
    with np.load(saved) as arrays:
        content: dict[str, Any] = {key: arrays[key] for key in arrays.files}
    header = json.loads(str(content["header"]))
    for key, value in changes.items():
        if value is None:
            del content[key]
        else:
            content[key] = np.array(json.dumps({**header, **value})) if isinstance(value, dict) else value
    np.savez(saved, **content)
    with pytest.raises(SkeletonFormatError, match=message) as caught:
        SequenceSet.load(saved)
    assert str(caught.value).startswith(str(saved))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(SkeletonFormatError, match=r"absent\.npz: no such file"):
        SequenceSet.load(tmp_path / "absent.npz")
    with pytest.raises(SkeletonFormatError, match="IsADirectoryError"):
        SequenceSet.load(tmp_path)


def test_a_failed_save_leaves_the_old_file(
    saved: Path, small_set: SequenceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full_disk(stream: Any, **arrays: Any) -> None:
        stream.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="no space left"):
        small_set.save(saved)
    assert saved.read_bytes() == before
    assert [file.name for file in saved.parent.iterdir()] == ["set.npz"]


def test_all_errors_share_a_base() -> None:
    assert issubclass(SequenceError, StgcnlibError)
    assert issubclass(SkeletonFormatError, StgcnlibError)


# -- targets -----------------------------------------------------------------------------------


def test_targets_go_along(tmp_path: Path, small_set: SequenceSet) -> None:
    count = len(small_set)
    told = SequenceSet(
        small_set.coords, groups=small_set.groups, layout=small_set.layout, names=small_set.names,
        targets=np.arange(2.0 * count).reshape(count, 2), target_names=["heat (W)", "time (s)"],
    )  # fmt: skip
    assert told.class_names == ()
    assert told.targets is not None
    told.save(tmp_path / "set.npz")
    back = SequenceSet.load(tmp_path / "set.npz")
    assert back.fingerprint() == told.fingerprint()
    assert back.target_names == told.target_names
    assert told.select([1, 0]).targets.tolist() == told.targets[[1, 0]].tolist()  # type: ignore[union-attr]
    moved = told.with_coords([c + 1 for c in told.coords])
    assert moved.targets.tolist() == told.targets.tolist()  # type: ignore[union-attr]
    other = SequenceSet(
        small_set.coords, groups=small_set.groups, layout=small_set.layout, names=small_set.names,
        targets=told.targets + 1, target_names=told.target_names,
    )  # fmt: skip
    assert other.fingerprint() != told.fingerprint()
    both = SequenceSet(
        small_set.coords, labels=small_set.labels, class_names=small_set.class_names, layout=small_set.layout,
        targets=told.targets[:, 0],
    )  # fmt: skip
    assert both.class_names == small_set.class_names
    assert both.target_names == ("target 0",)
    assert "classes, target 'target 0'" in repr(both)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": [1.0]}, r"expected real numbers \(2,\)"),
        ({"targets": [[1.0], [np.nan]]}, "NaN or infinite for 1 recordings, the first is recording 1"),
        ({"targets": ["a", "b"]}, "expected real numbers"),
        ({"targets": [1.0, 2.0], "target_names": ["a", "b"]}, "2 names for 1 columns"),
        ({"target_names": ["a"]}, "without targets"),
        ({"class_names": [], "labels": [0, 1]}, "labels contain 1"),
    ],
)
def test_wrong_targets(arguments: dict[str, Any], message: str) -> None:
    coords = [np.ones((3, 25, 3)), np.ones((4, 25, 3))]
    with pytest.raises(SequenceError, match=message):
        SequenceSet(coords, **arguments)


@pytest.mark.parametrize(
    ("values", "train", "chosen"),
    [
        (["1", "2", "10"], [1, 10], [0, 2]),
        (["001", "002", "A"], [1], [0]),
        (["001", "002", "A"], ["001", "A"], [0, 2]),
        ([1, 2, 10], ["010", "1"], [0, 2]),
        (["1", "01", "2"], ["01"], [1]),
    ],
)
def test_split_by_numbers_and_texts_that_mean_the_same(
    values: list[object], train: list[object], chosen: list[int]
) -> None:
    data = SequenceSet(np.ones((3, 2, 20, 3)), lengths=[2, 2, 2], layout="kinect-v1", groups={"subject": values})
    first, _ = data.split_indices("subject", train)
    assert first.tolist() == chosen


def test_split_by_a_number_that_two_texts_mean() -> None:
    data = SequenceSet(
        np.ones((3, 2, 20, 3)), lengths=[2, 2, 2], layout="kinect-v1", groups={"subject": ["001", "01", "2"]}
    )
    with pytest.raises(SequenceError, match="subject has no value 1; it has '001', '01', '2'"):
        data.split_indices("subject", [1])


@pytest.mark.parametrize("lost", ["nothing", "joints", "people", "frames of people"])
@pytest.mark.parametrize("M", [1, 2, 3])
@pytest.mark.parametrize(("layout", "V", "C"), [("ntu-rgb+d", 25, 3), ("openpose-18", 18, 3), ("coco-17", 17, 2)])
def test_channels_first_is_told_from_people_first(layout: str, V: int, C: int, M: int, lost: str) -> None:
    rng = np.random.default_rng(5)
    right = rng.normal(size=(4, M, 8, V, C))
    if lost == "joints":
        right[:, :, 2:5, 3] = 0
        right[:, -1, 3, 4] = 0
    elif lost == "people" and M > 1:
        right[:, -1] = 0
    elif lost == "frames of people":
        right[:, -1, 3:6] = 0
    assert SequenceSet(right, layout=layout).people_counts.tolist() == [M] * 4
    wrong = right.transpose(0, 4, 2, 3, 1)  # as ST-GCN's feeders have it
    axes = 3 if layout == "ntu-rgb+d" else 2
    if axes > M or (M > 1 and lost == "frames of people") or (M > 1 and lost == "people" and axes == 2):
        with pytest.raises(
            SequenceError, match="looks like channels, frames, joints, people; the order here is people"
        ):
            SequenceSet(wrong, layout=layout)
    np.testing.assert_array_equal(np.moveaxis(wrong, (-4, -1), (-1, -4)), right)


def test_bodies_in_a_plane_are_no_channels_first() -> None:
    flat = np.random.default_rng(5).normal(size=(3, 8, 25, 3))
    flat[..., 2] = 0
    assert SequenceSet([flat]).people_counts.tolist() == [3]
