"""Layers that are recorded again when they are read: the numbers of `record`, and nothing left behind."""

from __future__ import annotations

import gc
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_study import SMALL

import stgcnlib
from stgcnlib.activations import LayerStore, record
from stgcnlib.activations.demand import LayersOnDemand
from stgcnlib.activations.recipes import feature_bytes, write_recipe
from stgcnlib.dtw import dtw_distances, dtw_neighbors
from stgcnlib.errors import LayerNotFoundError, SequenceError, SkeletonFormatError, StudyError
from stgcnlib.networks import load_network, save_checkpoint
from stgcnlib.networks.own import import_path
from stgcnlib.sequences import SequenceSet
from stgcnlib.transforms import pad_with_zeros
from stgcnlib.trust import remember

OPTIONS = {"width": 4, "depth": 3}


def network_for(data: SequenceSet, seed: int = 0) -> Any:
    made = load_network("st-gcn", layout=data.layout, classes=data.outputs, channels=3, seed=seed, **OPTIONS)
    for module in made.modules():  # statistics of a network that has seen data
        if hasattr(module, "running_var"):
            module.running_var.uniform_(0.5, 1.5)
    return made


@pytest.fixture(scope="module")
def people() -> SequenceSet:
    """Recordings of one and two people, some of equal length."""
    rng = np.random.default_rng(4)
    lengths = [9, 30, 9, 14, 30, 9, 21]
    coords = [rng.normal(size=(2, n, 20, 3)) if i % 3 else rng.normal(size=(n, 20, 3)) for i, n in enumerate(lengths)]
    return SequenceSet(coords, labels=np.arange(7) % 3, class_names=["a", "b", "c"], layout="kinect-v1")


def both(data: SequenceSet, tmp_path: Path, **options: Any) -> tuple[LayerStore, LayersOnDemand]:
    network = network_for(data)
    write_recipe(tmp_path / "again.zarr", network, data, name="st-gcn", options=OPTIONS, **options)
    return record(network, data, **options), LayersOnDemand.open(tmp_path / "again.zarr")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_features_are_those_that_would_have_been_kept(people: SequenceSet, tmp_path: Path, dtype: Any) -> None:
    kept, again = both(people, tmp_path, dtype=dtype)
    assert again.layers == kept.layers
    assert len(again) == len(kept)
    for name in kept.layers:
        for field in ("name", "index", "title", "joints", "channels", "temporal_stride", "dtype"):
            assert getattr(again[name], field) == getattr(kept[name], field), field
        np.testing.assert_array_equal(again[name].lengths, kept[name].lengths)
        whole = again[name]
        assert whole.features.shape == kept[name].features.shape
        np.testing.assert_array_equal(whole.features[:], kept[name].features[:])
        np.testing.assert_array_equal(whole.features[3:17], kept[name].features[3:17])
        assert whole.features[5:5].shape == (0, kept[name].features.shape[1])
        for mine, theirs in zip(again[name], kept[name], strict=True):
            np.testing.assert_array_equal(mine, theirs)
            assert mine.dtype == np.float32
        for i in (4, 0, -1):
            np.testing.assert_array_equal(again[name].sequence(i), kept[name].sequence(i))
        np.testing.assert_array_equal(np.concatenate(again[name].load()), np.concatenate(kept[name].load()))
    scores = again.scores
    assert scores is not None
    np.testing.assert_array_equal(scores, kept.scores)
    for name in ("network", "data", "sequences", "padding", "people", "dtype", "layers"):
        assert again.manifest[name] == kept.manifest[name]


def test_padding_is_left_out_as_where_features_are_kept(people: SequenceSet, tmp_path: Path) -> None:
    kept, again = both(pad_with_zeros(people, frames=32), tmp_path)
    assert kept["input"].lengths.tolist() == people.lengths.tolist()
    for name in kept.layers:
        assert again[name].temporal_stride == kept[name].temporal_stride
        np.testing.assert_array_equal(again[name].lengths, kept[name].lengths)
        np.testing.assert_array_equal(again[name].sequence(2), kept[name].sequence(2))
        np.testing.assert_array_equal(again[name].features[:], kept[name].features[:])


def test_a_network_with_more_classes_and_an_option_that_is_a_tuple(people: SequenceSet, tmp_path: Path) -> None:
    options = {"width": 4, "depth": 3, "halvings": (2,)}
    network = load_network("st-gcn", layout=people.layout, classes=7, **options)  # type: ignore[arg-type]
    write_recipe(tmp_path / "a", network, people, name="st-gcn", options=options)
    kept, again = record(network, people), LayersOnDemand.open(tmp_path / "a")
    for name in kept.layers:
        np.testing.assert_array_equal(again[name].features[:], kept[name].features[:])
    assert again.scores is not None
    assert again.scores.shape == (7, 7)


@pytest.mark.parametrize("half", [False, True])
def test_another_network_or_other_recordings_are_refused(people: SequenceSet, tmp_path: Path, half: bool) -> None:
    network = network_for(people)
    network = network.bfloat16() if half else network
    folder = tmp_path / "a"
    write_recipe(folder, network, people, name="st-gcn", options=OPTIONS)
    assert LayersOnDemand.open(folder)["input"].sequence(0).any()
    weights = (folder / "network.pt").read_bytes()
    save_checkpoint(network_for(people, seed=1), folder / "network.pt")
    with pytest.raises(SkeletonFormatError, match=r"network.pt holds other weights than its recipe names"):
        LayersOnDemand.open(folder)["input"].sequence(0)
    (folder / "network.pt").write_bytes(weights)
    people.with_coords([3 * each for each in people.coords]).save(folder / "recordings.npz")
    with pytest.raises(SkeletonFormatError, match=r"recordings.npz holds other recordings than its recipe names"):
        LayersOnDemand.open(folder)["input"].sequence(0)


def test_distances_and_neighbours_are_the_same(people: SequenceSet, tmp_path: Path) -> None:
    kept, again = both(people, tmp_path)
    last = kept.layers[-1]
    np.testing.assert_array_equal(dtw_distances(again[last]), dtw_distances(kept[last]))
    np.testing.assert_array_equal(dtw_neighbors(again[last], 3).indices, dtw_neighbors(kept[last], 3).indices)


def passed(monkeypatch: pytest.MonkeyPatch, store: LayersOnDemand) -> list[int]:
    """Sizes of the batches that pass from now on."""
    found: list[int] = []
    network = store._network
    monkeypatch.setattr(network, "forward", lambda x, own=network.forward: (found.append(len(x)), own(x))[1])
    return found


def test_one_recording_costs_one_batch_for_all_layers(
    small_set: SequenceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, again = both(small_set, tmp_path)
    batches = passed(monkeypatch, again)
    monkeypatch.setattr("stgcnlib.activations.demand._SINGLES", 10.0)
    for name in again.layers:
        np.testing.assert_array_equal(again[name].sequence(2), kept[name].sequence(2))
    assert len(batches) == 1
    with pytest.raises(IndexError):
        again["input"].sequence(len(small_set))
    mine = again["input"].sequence(2)
    mine[:] = 0  # what is handed out is the caller's
    assert again["input"].sequence(2).any()


def test_many_recordings_of_a_layer_are_recorded_at_once(
    small_set: SequenceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, again = both(small_set, tmp_path)
    batches, layer = passed(monkeypatch, again), again["input"]
    monkeypatch.setattr("stgcnlib.activations.demand._RECENT_BYTES", 1)
    count = len(again._batches)
    for _ in range(3):
        for i in range(len(small_set)):
            np.testing.assert_array_equal(layer.sequence(i), kept["input"].sequence(i))
    assert len(batches) <= again.many + count


def test_what_says_no_numbers_passes_nothing(
    small_set: SequenceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stgcnlib import figures, tables

    kept, again = both(small_set, tmp_path)
    batches = passed(monkeypatch, again)
    assert tables.layers_table(again).equals(tables.layers_table(kept))
    figures.layer_shapes(again)
    assert "layers of" in repr(again)
    assert "sequences" in repr(again["input"])
    assert not batches
    with pytest.raises(LayerNotFoundError, match="did you mean"):
        again["inputs"]


def open_files() -> int:
    home = Path("/proc/self/fd")
    return len(list(home.iterdir())) if home.is_dir() else 0


def test_a_network_of_ones_own_is_made_again(people: SequenceSet, tmp_path: Path) -> None:
    (tmp_path / "made_again.py").write_text(
        "from stgcnlib.networks import load_network\n\n\ndef make(layout, classes, channels, width):\n"
        "    return load_network('st-gcn', layout=layout, classes=classes, channels=channels, width=width, depth=3)\n"
    )
    options = {"width": 4}
    with import_path(tmp_path):
        network = load_network("made_again:make", layout=people.layout, classes=3, channels=3, seed=2, **options)
    write_recipe(tmp_path / "a", network, people, name="made_again:make", options=options, home=tmp_path)
    kept, again = record(network, people), LayersOnDemand.open(tmp_path / "a")
    with pytest.raises(StudyError, match="only if you trust it"):
        _ = again[kept.layers[0]].features[:]
    remember("made_again:make", tmp_path / "made_again.py")
    for name in kept.layers:
        np.testing.assert_array_equal(again[name].features[:], kept[name].features[:])


def test_no_file_is_left(small_set: SequenceSet, tmp_path: Path) -> None:
    _, again = both(small_set, tmp_path)
    before = {file.relative_to(tmp_path) for file in tmp_path.rglob("*")}
    handles = open_files()
    layer = again[again.layers[-1]]
    assert np.asarray(layer.features[:]).any()
    assert {file.relative_to(tmp_path) for file in tmp_path.rglob("*")} == before
    del layer
    gc.collect()
    assert open_files() <= handles


def test_the_estimate_is_what_is_kept(small_set: SequenceSet, tmp_path: Path) -> None:
    network = network_for(small_set)
    store = record(network, small_set)
    held = sum(4 * int(np.prod(store[name].features.shape)) for name in store.layers)
    assert feature_bytes(network, small_set) == pytest.approx(held, rel=0.1)
    assert feature_bytes(network, small_set, dtype="float16") == pytest.approx(held / 2, rel=0.1)


def test_what_is_too_large_for_float16_is_refused_when_it_is_read(tmp_path: Path) -> None:
    far = SequenceSet([np.full((9, 20, 3), 1e6)], labels=[0], class_names=["a", "b"], layout="kinect-v1")
    write_recipe(tmp_path / "a", network_for(far), far, name="st-gcn", options=OPTIONS, dtype="float16")
    store = LayersOnDemand.open(tmp_path / "a")
    for read in (lambda: store["input"].load(), lambda: store["input"].sequence(0)):
        with pytest.raises(SequenceError, match=r"'input' has features up to 1e\+06, and float16 holds no"):
            read()


def test_a_folder_that_holds_no_recipe(small_set: SequenceSet, tmp_path: Path) -> None:
    both(small_set, tmp_path)
    file = tmp_path / "again.zarr" / "recipe.json"
    odd = json.loads(file.read_text()) | {"version": "new"}
    for content in ("{", json.dumps({"format": "other"}), json.dumps(odd)):
        file.write_text(content)
        with pytest.raises(SkeletonFormatError, match="no recipe of layers"):
            LayersOnDemand.open(tmp_path / "again.zarr")
    with pytest.raises(SkeletonFormatError, match="no recipe of layers"):
        LayersOnDemand.open(tmp_path / "nowhere")


def test_groups_of_objects_are_those_that_were_saved(people: SequenceSet, tmp_path: Path) -> None:
    coords = [people.coords[i] for i in range(len(people))]
    groups = {"room": np.array(["a", None, "a", "b", None, "b", "a"], dtype=object)}
    data = SequenceSet(coords, labels=people.labels, class_names=["a", "b", "c"], groups=groups, layout="kinect-v1")
    kept, again = both(data, tmp_path)
    np.testing.assert_array_equal(again["input"].features[:], kept["input"].features[:])


def test_a_recipe_with_other_frames_is_refused(people: SequenceSet, tmp_path: Path) -> None:
    both(people, tmp_path)
    recipe = json.loads((tmp_path / "again.zarr" / "recipe.json").read_text())
    recipe["layers"][1]["lengths"][2] += 1
    (tmp_path / "again.zarr" / "recipe.json").write_text(json.dumps(recipe))
    again = LayersOnDemand.open(tmp_path / "again.zarr")
    with pytest.raises(SkeletonFormatError, match=r"recording 2 has \d+ frames at layer .*, its recipe says \d+"):
        again[again.layers[1]].features  # noqa: B018


def test_rows_that_are_recorded_again_stay_in_their_process(
    people: SequenceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process would read its own file of that number."""

    class Elsewhere:
        def map(self, function: Any, shared: Any, items: Any) -> Any:
            raise AssertionError("a task left the process")

    kept, again = both(people, tmp_path)
    name = again.layers[1]
    with pytest.raises(TypeError, match="of this process alone"):
        pickle.dumps(again[name].features)
    monkeypatch.setattr("stgcnlib.dtw.source.RESIDENT_BYTES", 0)
    found = dtw_neighbors(again[name], 2, window=2, executor=Elsewhere())
    expected = dtw_neighbors(kept[name], 2, window=2)
    np.testing.assert_array_equal(found.indices, expected.indices)
    assert found.distances.tobytes() == expected.distances.tobytes()


# -- in a study --------------------------------------------------------------------------------


def test_a_study_that_keeps_no_features_has_the_same_results(tmp_path: Path) -> None:
    kept = stgcnlib.open_study({**SMALL, "compute": {"activations": "keep"}}, tmp_path / "kept")
    again = stgcnlib.open_study({**SMALL, "compute": {"activations": "recompute"}}, tmp_path / "again")
    assert isinstance(again["activations/trained"], LayersOnDemand)
    assert isinstance(again["activations/untrained"], LayersOnDemand)
    assert not isinstance(kept["activations/trained"], LayersOnDemand)
    assert again.key("activations/trained") == kept.key("activations/trained")
    for name in ("geometry", "statistics"):
        assert kept[name].table.equals(again[name].table)
    assert kept["baselines"].equals(again["baselines"])
    assert list(kept["maps"][0]) == list(again["maps"][0])
    size = sum(file.stat().st_size for file in (tmp_path / "again/artefacts/activations/trained.zarr").rglob("*"))
    whole = sum(file.stat().st_size for file in (tmp_path / "kept/artefacts/activations/trained.zarr").rglob("*"))
    assert size < whole / 2


@pytest.mark.parametrize("room", [0, 10**15])
def test_features_are_kept_where_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    from types import SimpleNamespace

    monkeypatch.setattr("stgcnlib.pipeline.line.networks.shutil", SimpleNamespace(
        disk_usage=lambda path: SimpleNamespace(free=room)))  # fmt: skip
    store = stgcnlib.open_study(SMALL, tmp_path)["activations/initial"]
    assert isinstance(store, LayersOnDemand) == (room == 0)
