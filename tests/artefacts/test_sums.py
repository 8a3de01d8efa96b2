"""What a result on disk holds is compared before it is used, even where its file looks unchanged."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel
from tiny_network import TinyNetwork

from stgcnlib.activations import LayerStore, record
from stgcnlib.artefacts import ARRAY, JSON, Artefact, Artefacts, Form, Line, Onlooker, Store, sums
from stgcnlib.artefacts import store as store_room
from stgcnlib.artefacts.stamps import file_state
from stgcnlib.errors import ArtefactError, DamagedError, SkeletonFormatError
from stgcnlib.pipeline.line.forms import ACTIVATIONS
from stgcnlib.sequences import SequenceSet

MADE: list[str] = []


class Settings(BaseModel):
    size: int = 3
    compute: str = "cpu"


def numbers(settings: Any) -> Any:
    MADE.append("numbers")
    return np.arange(settings.size)


def total(numbers: Any) -> int:
    MADE.append("total")
    return int(numbers.sum())


LINE = Line(
    (
        Artefact("numbers", numbers, ARRAY, settings=("size",)),
        Artefact("total", total, JSON, needs={"numbers": "numbers"}),
    ),
    {},
)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    MADE.clear()
    monkeypatch.setattr(sums, "_seen", {})  # as in a new process


def opened(folder: Path) -> Artefacts:
    return Artefacts(LINE, Settings(), folder)


def rot(path: Path, file: Path) -> None:
    """Change a bit of one file of an artefact, and nothing that its manifest says of the file's state."""
    content = bytearray(file.read_bytes())
    content[-3] ^= 4
    file.write_bytes(content)
    manifest = path.with_name(path.name + ".manifest.json")
    about = json.loads(manifest.read_text())
    about["files"]["" if file == path else file.relative_to(path).as_posix()][1] = file_state(file)
    manifest.write_text(json.dumps(about))


def test_a_bit_that_flips_unseen_is_found_on_load(tmp_path: Path) -> None:
    study = opened(tmp_path)
    study["numbers"]
    rot(study.path("numbers"), study.path("numbers"))
    MADE.clear()
    sums._seen.clear()
    again = opened(tmp_path)
    assert again.missing("numbers") == []  # nothing has been read yet
    with pytest.warns(UserWarning, match=r"numbers\.npy: is not as it was written; the next run makes it again"):
        assert again["total"] == 3
    assert MADE == ["numbers", "total"]
    np.testing.assert_array_equal(opened(tmp_path)["numbers"], [0, 1, 2])
    assert MADE == ["numbers", "total"]


def test_a_process_reads_each_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path)["numbers"]
    sums._seen.clear()
    read: list[Path] = []
    whole = sums.fingerprint_file
    monkeypatch.setattr(sums, "fingerprint_file", lambda file: read.append(file) or whole(file))
    for _ in range(3):
        opened(tmp_path)["numbers"]
    assert [file.name for file in read] == ["numbers.npy"]


def test_who_only_looks_changes_nothing(tmp_path: Path) -> None:
    study = opened(tmp_path)
    study["total"]
    rot(study.path("numbers"), study.path("numbers"))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    np.testing.assert_array_equal(Onlooker(LINE, Settings(), tmp_path)["numbers"], [0, 1, 2])
    store = Store(tmp_path / "artefacts", mend="ask for it again")
    with pytest.raises(DamagedError, match=r"numbers\.npy: is not as it was written; ask for it again"):
        store.load("numbers", ARRAY)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_who_reads_while_another_process_makes_it_again_does_not_forget_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(tmp_path)["numbers"]
    store, another, read = Store(tmp_path / "artefacts"), Store(tmp_path / "artefacts"), store_room.read_manifest

    def late(path: Path, mend: str | None) -> dict[str, Any]:
        manifest = read(path, mend)
        another.write("numbers", ARRAY, "new", {}, lambda file: ARRAY.save(np.arange(7), file))
        return manifest

    monkeypatch.setattr(store_room, "read_manifest", late)
    with pytest.raises(DamagedError, match="is not as it was written"):
        store.load("numbers", ARRAY)
    monkeypatch.undo()
    assert another.holds("numbers", ARRAY, "new")
    assert len(store.load("numbers", ARRAY)) == 7


def test_what_cannot_be_read_though_it_is_whole_is_made_once_more(tmp_path: Path) -> None:
    def broken(path: Path) -> None:
        raise KeyError("of no use")

    line = Line((Artefact("numbers", numbers, Form(".npy", broken, ARRAY.save), settings=("size",)),), {})
    with (
        pytest.warns(UserWarning, match="cannot be read"),
        pytest.raises(DamagedError, match=r"numbers\.npy: cannot be read \('of no use'\)"),
    ):
        Artefacts(line, Settings(), tmp_path)["numbers"]
    assert MADE == ["numbers", "numbers"]


def test_an_older_manifest_counts_and_a_newer_one_is_refused(tmp_path: Path) -> None:
    study = opened(tmp_path)
    study["numbers"]
    manifest = tmp_path / "artefacts" / "numbers.npy.manifest.json"
    about = json.loads(manifest.read_text())
    assert (about["format"], len(about["files"][""][0])) == (2, 64)
    old = about | {"format": 1, "files": {"": [about["files"][""][0][:16], about["files"][""][1]]}}
    manifest.write_text(json.dumps(old))
    MADE.clear()
    opened(tmp_path)["numbers"]
    assert MADE == []
    rot(study.path("numbers"), study.path("numbers"))
    sums._seen.clear()
    with pytest.warns(UserWarning, match="not as it was written"):
        opened(tmp_path)["numbers"]
    manifest.write_text(json.dumps(about | {"format": 3, "stgcnlib": "9.1.0"}))
    for use in (lambda: opened(tmp_path)["total"], lambda: Store(tmp_path / "artefacts").load("numbers", ARRAY)):
        with pytest.raises(ArtefactError, match=r"json: was written by a newer stgcnlib \(9\.1\.0\), in version 3 "):
            use()
    assert json.loads(manifest.read_text())["format"] == 3


@pytest.fixture
def kept(tmp_path: Path, small_set: SequenceSet) -> Path:
    """The layers of a tiny network as an artefact."""
    Store(tmp_path).write("trained", ACTIVATIONS, "key", {}, lambda path: record(TinyNetwork(), small_set, store=path))
    sums._seen.clear()
    return tmp_path / "trained.zarr"


def test_features_are_compared_block_by_block_as_they_are_read(kept: Path) -> None:
    chunk = next(path for path in sorted((kept / "layer02").rglob("*")) if path.is_file() and path.name != "zarr.json")
    rot(kept, chunk)
    for store in (LayerStore.open(kept), Store(kept.parent, mend="").load("trained", ACTIVATIONS)):
        store["input"].load()
        for copy in (store, pickle.loads(pickle.dumps(store))):
            with pytest.raises(DamagedError, match=r"layer02/c/0/0: is not as it was written"):
                copy["blocks.1"].sequence(0)
    store = Store(kept.parent).load("trained", ACTIVATIONS)
    assert Store(kept.parent).holds("trained", ACTIVATIONS, "key")
    with pytest.raises(DamagedError, match=r"layer02/c/0/0: is not as it was written; the next run makes it again"):
        store["blocks.1"].load()
    assert not Store(kept.parent).holds("trained", ACTIVATIONS, "key")


@pytest.mark.parametrize("change", ["zeroed", "gone", "more", "other", "metadata", "scores"])
def test_no_damage_of_features_passes(kept: Path, change: str) -> None:
    chunks = {name: kept / name / "c" / "0" / "0" for name in ("layer01", "layer02")}
    match change:
        case "zeroed":
            chunks["layer02"].write_bytes(bytes(chunks["layer02"].stat().st_size))
        case "gone":
            chunks["layer02"].unlink()
        case "more":
            (kept / "layer02" / "c" / "1").write_bytes(b"")
        case "other":
            chunks["layer02"].write_bytes(chunks["layer01"].read_bytes())
        case "metadata":
            file = kept / "zarr.json"
            file.write_text(file.read_text().replace('"blocks.1"', '"blocks.7"'))
        case "scores":
            rot(kept, next(path for path in (kept / "scores" / "c").rglob("*") if path.is_file()))

    def read() -> None:
        store = LayerStore.open(kept)
        for name in store:
            store[name].load()
        assert store.scores is not None

    with pytest.raises((DamagedError, SkeletonFormatError), match=r"trained\.zarr"):
        read()
