"""Tables and arrays of one's own: joints by a layout, labels and groups by a pattern for the paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_writers import lines, motion
from hypothesis import given
from hypothesis import strategies as st

from stgcnlib.errors import LayoutError, SkeletonFormatError, StgcnlibError
from stgcnlib.readers import read
from stgcnlib.readers.tables import _matcher
from stgcnlib.skeleton import SkeletonLayout, layout

MOUSE = SkeletonLayout("mouse", ("snout", "left ear", "right ear", "tail"), ((1, 0), (2, 0), (3, 0)), dimensions=2)
YAML = """\
name: mouse
dimensions: 2
joints: [snout, left ear, right ear, tail]
bones: [[left ear, snout], [right ear, snout], [tail, 0]]
centre: snout
"""


def put(folder: Path, name: str, seed: int = 0, *, channels: int = 2, separator: str = ",") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(lines(motion(5, 4, channels, seed=seed).reshape(5, -1), separator))
    return file


# -- the layout's file ----------------------------------------------------------------------------


def test_a_layout_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mouse.yml"
    file.write_text(YAML + "spine: [tail, snout]\nlimbs: {head: [snout, 1, 2]}\n")
    found = layout(str(file))
    assert (found.name, found.joints, found.bones, found.dimensions) == ("mouse", MOUSE.joints, MOUSE.bones, 2)
    assert (found.centre, found.spine, found.mirror, dict(found.limbs)) == (0, (3, 0), ((1, 2),), {"head": (0, 1, 2)})


def test_names_stay_texts_and_the_rest_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text("joints: [no, 010, y, 2]\nbones: [[no, 010], [2, y]]\n")
    found = layout(str(file))
    assert (found.name, found.joints, found.bones) == ("odd", ("no", "010", "y", "2"), ((0, 1), (3, 2)))
    assert (found.dimensions, found.centre, found.spine, found.mirror) == (3, None, None, ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "is no layout; expected at least 'joints'"),
        ("joints: {a: 1}", "'joints' is no list of names"),
        ("joints: [a, a]", "joint names repeat"),
        ("joints: [a, b]\nbone: []", "has the field 'bone'; did you mean 'bones'"),
        ("joints: [a, b]\nbones: [[a, c]]", "'bones' names 'c', which is no joint"),
        ("joints: [a, b]\nbones: [[a, 2]]", "'bones' names '2', which is no joint"),
        ("joints: [a, b]\nbones: [a, b]", "'bones' holds a; expected pairs"),
        ("joints: [a, b]\nbones: [[a, [b]]]", "expected joints by name"),
        ("joints: [a, b]\ncentre: left", "'centre' names 'left'"),
        ("joints: [a, b]\nlimbs: [a]", "'limbs' names no lists"),
        ("joints: [a, b]\ndimensions: 4", "'dimensions' is '4'; expected 2, 3, or 0"),
        ("joints: [a, b", "is no YAML"),
    ],
)
def test_wrong_layouts(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "a.yml"
    file.write_text(text)
    with pytest.raises(LayoutError, match=message):
        layout(str(file))


def test_absent_and_huge_layouts(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="cannot be read"):
        layout(str(tmp_path / "absent.yml"))
    (tmp_path / "a.yml").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(LayoutError, match="bytes are too many"):
        layout(str(tmp_path / "a.yml"))


# -- tables ---------------------------------------------------------------------------------------


def test_paths_tell_labels_and_groups(tmp_path: Path) -> None:
    for k, name in enumerate(("7/walk_1.csv", "7/run_2.csv", "10/walk_1.csv")):
        put(tmp_path, name, k)
    put(tmp_path, "10/notes.csv")
    (tmp_path / "mouse.yml").write_text(YAML)
    with pytest.warns(UserWarning, match=r"not read: 1 file of no known format, '10/notes\.csv'"):
        data = read(tmp_path, layout=str(tmp_path / "mouse.yml"), pattern="{subject}/{label}_{trial}.csv")
    assert data.names == ("10/walk_1", "7/run_2", "7/walk_1")
    assert [data.class_names[k] for k in data.labels] == ["walk", "run", "walk"]
    assert {key: values.tolist() for key, values in data.groups.items()} == {"subject": [10, 7, 7], "trial": [1, 2, 1]}
    for coords, seed in zip(data.coords, (2, 1, 0), strict=True):
        np.testing.assert_allclose(coords, motion(5, 4, 2, seed=seed), atol=6e-5)


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("heading", ["", "a title of no use"])
@pytest.mark.parametrize("channels", [2, 3])
def test_numbers_in_any_dress(tmp_path: Path, separator: str, heading: str, channels: int) -> None:
    file = put(tmp_path, "a.txt", channels=channels, separator=separator)
    if heading:
        file.write_text(heading + "\n" + file.read_text())
    data = read(file, format="tables", layout=MOUSE)
    np.testing.assert_allclose(data.coords[0], motion(5, 4, channels), atol=6e-5)


def test_a_column_that_counts_and_empty_cells(tmp_path: Path) -> None:
    rows = motion(5, 4, 2).reshape(5, 8)
    text = "\n".join(",".join([str(17 + t), *(f"{v:.6f}" for v in row)]) for t, row in enumerate(rows))
    first = f"{rows[1, 0]:.6f}"
    (tmp_path / "a.csv").write_text(text.replace(f"18,{first}", "18,"))
    data = read(tmp_path, format="tables", layout=MOUSE)
    np.testing.assert_allclose(data.coords[0][1, 1:], rows.reshape(5, 4, 2)[1, 1:], atol=1e-6)
    assert data.coords[0][1, 0].tolist() == [0, 0]


def test_headings_that_name_the_joints(tmp_path: Path) -> None:
    points = motion(5, 4, 2)
    order = [2, 0, 3, 1]
    heading = ",".join(f"{MOUSE.joints[v].replace(' ', '_')}_{axis}" for v in order for axis in "xy")
    (tmp_path / "a.csv").write_text(heading + "\n" + lines(points[:, order].reshape(5, 8), ","))
    np.testing.assert_allclose(read(tmp_path, format="tables", layout=MOUSE).coords[0], points, atol=6e-5)
    (tmp_path / "a.csv").write_text(heading.replace("tail", "paw") + "\n" + lines(points.reshape(5, 8), ","))
    with pytest.raises(SkeletonFormatError, match="name 'paw' beyond layout 'mouse', and lack 'tail'"):
        read(tmp_path, format="tables", layout=MOUSE)


@pytest.mark.parametrize("shape", [(5, 4, 2), (3, 5, 4, 2), (5, 8), (5, 4, 3)])
def test_arrays(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).uniform(1, 2, shape)
    np.save(tmp_path / "a_walk.npy", values)
    data = read(tmp_path, layout=MOUSE, pattern="*_{label}.npy")
    np.testing.assert_array_equal(data.coords[0], (values.reshape(5, 4, 2) if len(shape) == 2 else values).astype("f4"))
    assert data.class_names == ("walk",)


def test_labels_by_table_and_by_folders(tmp_path: Path) -> None:
    put(tmp_path, "walk/a.csv")
    put(tmp_path, "run/b.csv", 1)
    data = read(tmp_path, format="tables", layout=MOUSE)
    assert [(name, data.class_names[k]) for name, k in zip(data.names, data.labels, strict=True)] == [
        ("run/b", "run"),
        ("walk/a", "walk"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n", r"has shape \(1, 3\); layout 'mouse' has 4 joints of 2, 3 numbers"),
        ("1,2,3,4,5,6,7,8\n1,2\n", "line 2 of its numbers has 2 of them, the first 8"),
        ("1,2,3,4,5,6,7,8\n1,2,3,4,5,6,7,x\n", "line 2 of its numbers holds other than numbers"),
        ("a title\n", "holds a heading and no frame"),
        ("\n", "holds no frame"),
        ("1,2,3,4,5,6,7,inf\n", "infinite"),
    ],
)
def test_wrong_tables(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(SkeletonFormatError, match=message):
        read(tmp_path, format="tables", layout=MOUSE)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(
        SkeletonFormatError, match=r"no recording found; .* --layout my\.yml --pattern .* a SequenceSet"
    ):
        read(tmp_path)
    put(tmp_path, "a.csv")
    with pytest.raises(SkeletonFormatError, match="do not say what their joints are; give a layout"):
        read(tmp_path, format="tables")
    with pytest.raises(SkeletonFormatError, match=r"none of its 1 tables and arrays \('a\.csv'\) fits the pattern"):
        read(tmp_path, layout=MOUSE, pattern="{subject}_{label}.csv")
    for pattern in ("{a}_{a}.csv", "{a.csv", "{1a}.csv"):
        with pytest.raises(SkeletonFormatError, match="braces hold a name each"):
            read(tmp_path, layout=MOUSE, pattern=pattern)
    put(tmp_path, "b.csv", channels=3)
    with pytest.raises(SkeletonFormatError, match=r"its files have \[2, 3\] numbers a joint; all need the same"):
        read(tmp_path, format="tables", layout=MOUSE)


@given(
    st.dictionaries(
        st.sampled_from(["subject", "label", "trial"]), st.text("abz019.-", min_size=1, max_size=5), min_size=1
    )
)
def test_a_pattern_finds_what_a_path_was_made_of(values: dict[str, str]) -> None:
    pattern = "_".join(f"{{{key}}}" for key in values) + ".csv"
    match = _matcher(pattern).fullmatch("some/folder/" + pattern.format(**values))
    assert match is not None
    assert match.groupdict() == values


def test_damaged_tables(tmp_path: Path, rng: np.random.Generator) -> None:
    file = put(tmp_path, "a.csv")
    whole = file.read_bytes()
    for _ in range(100):
        damaged = bytearray(whole)
        damaged[rng.integers(len(damaged))] = rng.choice(list(b"0129-e.,;\n \0\xff"))
        file.write_bytes(damaged)
        data: Any = None
        try:
            data = read(file, format="tables", layout=MOUSE)
        except StgcnlibError as error:
            assert str(file) in str(error)  # noqa: PT017
        assert data is None or np.isfinite(data.coords[0]).all()


def test_a_name_that_a_pattern_reads_in_two_ways_is_refused(tmp_path: Path) -> None:
    """`sit_up_1` and `sit_down_1` would both be recordings of the class `sit`."""
    for name in ("stand_1", "sit_up_1", "sit_down_1"):
        np.savetxt(tmp_path / f"{name}.csv", np.ones((5, 8)), delimiter=",")
    two = r"sit_down_1\.csv: fits the pattern .* in two ways, with label 'sit' or 'sit_down'; rename the files"
    with pytest.raises(SkeletonFormatError, match=two):
        read(tmp_path, layout=MOUSE, pattern="{label}_{trial}.csv")
    assert len(read(tmp_path, layout=MOUSE, pattern="{label}_1.csv")) == 3
