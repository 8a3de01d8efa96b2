"""record() and LayerStore: right values, nothing left behind in the network or on the disk."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from rounding import STORED, in_double
from tiny_network import TinyNetwork

from stgcnlib.activations import LayerStore, find_layers, observing, record, temporal_stride
from stgcnlib.activations.recipes import feature_bytes
from stgcnlib.errors import LayerNotFoundError, LayoutError, SequenceError, SkeletonFormatError
from stgcnlib.networks import load_network
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import graph_layout
from stgcnlib.training import evaluate
from stgcnlib.transforms import pad_with_zeros


@pytest.fixture
def network() -> TinyNetwork:
    """In double, so that what is stored in float32 differs in the last place at most, on any machine."""
    return in_double(TinyNetwork())


@pytest.fixture
def pairs(rng: np.random.Generator) -> SequenceSet:
    """Three recordings of two people and one of one person."""
    coords = [rng.normal(size=(2, 11, 20, 3)), rng.normal(size=(2, 14, 20, 3)), rng.normal(size=(9, 20, 3))]
    still = rng.normal(size=(2, 11, 20, 3))
    still[0] = still[0, :1]
    return SequenceSet([*coords, still], layout="kinect-v1")


def by_hand(network: TinyNetwork, people: np.ndarray) -> dict[str, np.ndarray]:
    """(M, C, T, V) of each block, person by person, by calling the submodules."""
    network.eval()
    kept: dict[str, list[np.ndarray]] = {name: [] for name in network.layer_names}
    with torch.no_grad():
        for person in torch.from_numpy(people).double():
            T, V, C = person.shape
            y = network.data_bn(person.reshape(T, V * C).T[None])
            y = y.view(V, C, T).permute(1, 2, 0)[None]
            for k, block in enumerate(network.blocks):
                y = block(y)
                kept[f"blocks.{k}"].append(y[0].numpy())
                y = y.clamp(0, 6)
    return {name: np.stack(values) for name, values in kept.items()}


def state(network: torch.nn.Module) -> list[object]:
    hooks = [(len(m._forward_hooks), len(m._backward_hooks), m.training) for m in network.modules()]
    return [hooks, [p.requires_grad for p in network.parameters()], [p.grad is None for p in network.parameters()]]


# -- values --------------------------------------------------------------------------------------


def test_values_equal_the_submodules_called_by_hand(network, small_set):
    store = record(network, small_set)
    assert store.layers == ("input", *network.layer_names)
    for i in range(len(small_set)):
        np.testing.assert_array_equal(store["input"].sequence(i), small_set.sequence(i))
        for name, expected in by_hand(network, small_set.people(i)).items():
            rows = expected[0].transpose(1, 2, 0).reshape(expected.shape[2], -1)
            np.testing.assert_allclose(store[name].sequence(i), rows, **STORED)


def test_layers_tell_their_shape(network, small_set):
    store = record(network, small_set)
    assert len(store) == 4
    assert [store[n].title for n in store.layers] == ["input", "layer 1", "layer 2", "layer 3"]
    assert [store[n].index for n in store.layers] == [0, 1, 2, 3]
    assert [store[n].temporal_stride for n in store.layers] == [1, 1, 1, 2]
    assert [store[n].channels for n in store.layers] == [3, 6, 6, 8]
    last = store["blocks.2"]
    assert last.joints == 20
    assert len(last) == len(small_set)
    np.testing.assert_array_equal(last.lengths, -(-small_set.lengths // 2))
    np.testing.assert_array_equal(last.offsets, np.concatenate([[0], np.cumsum(last.lengths)]))
    assert last.features.shape == (last.lengths.sum(), 20 * 8)
    assert last.sequence(0).dtype == np.float32


def test_reading_at_once_or_one_by_one_is_the_same(network, small_set, monkeypatch):
    monkeypatch.setattr("stgcnlib.activations.store._BLOCK_BYTES", 20_000)
    monkeypatch.setattr("stgcnlib.activations.store.CHUNK_BYTES", 3_000)
    layer = record(network, small_set)["blocks.1"]
    assert layer.features.nchunks > 10
    singles = [layer.sequence(i) for i in range(len(layer))]
    for other in (layer.load(), list(layer)):
        assert len(other) == len(singles)
        for a, b in zip(other, singles, strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(layer.sequence(-1), singles[-1])
    with pytest.raises(IndexError):
        layer.sequence(len(layer))


def test_small_batches_do_not_change_values(network, small_set, monkeypatch):
    data = small_set.select([0, 1, 0, 0, 1, 2])
    whole = record(network, data)["blocks.2"].features[:]
    monkeypatch.setattr("stgcnlib.activations.passes._BATCH_FRAMES", 1)
    np.testing.assert_allclose(record(network, data)["blocks.2"].features[:], whole, **STORED)


def test_padded_agrees_with_unpadded_away_from_the_border(network, small_set):
    free, padded = record(network, small_set), record(network, small_set, padding="crop")
    longest = int(small_set.lengths.max())
    reach = {"input": 0, "blocks.0": 4, "blocks.1": 8, "blocks.2": 12}
    for name, border in reach.items():
        stride = free[name].temporal_stride
        assert padded[name].temporal_stride == stride
        for i, frames in enumerate(small_set.lengths):
            a, b = free[name].sequence(i), padded[name].sequence(i)
            assert len(b) == math.ceil(math.ceil(longest / stride) * frames / longest)
            clean = int(np.sum(np.arange(len(a)) * stride + border < frames))
            np.testing.assert_allclose(a[:clean], b[:clean], **STORED)
            if frames == longest:
                np.testing.assert_allclose(a, b, **STORED)


def test_zeros_after_the_end_are_not_measured(network, rng):
    lengths = [20, 40, 44]
    data = SequenceSet([rng.normal(size=(n, 25, 3)) for n in lengths], layout="ntu-rgb+d")
    padded = pad_with_zeros(data, frames=60)
    layers = load_network("st-gcn", layout="ntu-rgb+d", classes=2, width=4, depth=5, halvings=(2, 5), seed=0)
    store, free = record(layers, padded), record(layers, data)
    for name in store.layers:
        stride = free[name].temporal_stride
        assert store[name].temporal_stride == stride
        assert store[name].lengths.tolist() == [math.ceil(math.ceil(60 / stride) * n / 60) for n in lengths]
    np.testing.assert_array_equal(store["input"].features[:, :75].any(axis=1), True)
    assert feature_bytes(layers, padded) == sum(4 * int(np.prod(store[n].features.shape)) for n in store.layers)
    # A gap within a recording stays; zeros of a graph that is no body are values.
    gap = data.coords[0].copy()
    gap[5:8] = 0
    assert record(layers, SequenceSet([gap], layout="ntu-rgb+d"))["input"].lengths.tolist() == [20]
    roads = graph_layout("roads", [(k, k + 1) for k in range(19)])
    still = np.zeros((9, 20, 3))
    still[:4] = 1
    network.layout = roads
    assert record(network, SequenceSet([still], layout=roads))["input"].lengths.tolist() == [9]


# -- people --------------------------------------------------------------------------------------


def test_concatenated_people_lie_side_by_side_per_joint(network, pairs):
    store = record(network, pairs)
    assert store.manifest["people"] == "concatenate"
    for i in range(len(pairs)):
        people = pairs.people(i)
        for name, expected in {"input": people.transpose(0, 3, 1, 2), **by_hand(network, people)}.items():
            M, C, T, V = expected.shape
            got = store[name].sequence(i).reshape(T, V, 2, C)
            np.testing.assert_allclose(got[:, :, :M], expected.transpose(2, 3, 0, 1), **STORED)
            assert not got[:, :, M:].any()
    np.testing.assert_array_equal(store["input"].sequence(0), pairs.sequence(0))


def test_the_main_person_is_the_one_who_moves(network, pairs):
    store = record(network, pairs, people="main")
    assert store["blocks.2"].channels == 8
    np.testing.assert_array_equal(store["input"].sequence(3), pairs.people(3)[1].reshape(11, -1))
    expected = by_hand(network, pairs.people(3))["blocks.1"][1].transpose(1, 2, 0).reshape(11, -1)
    np.testing.assert_allclose(store["blocks.1"].sequence(3), expected, **STORED)


def test_coming_into_view_is_no_motion(network, rng):
    steady = rng.normal(size=(10, 20, 3))
    appearing = np.repeat(rng.normal(5, 1, size=(1, 20, 3)), 10, axis=0)
    appearing[:4] = 0
    data = SequenceSet([np.stack([appearing, steady])], layout="kinect-v1")
    got = record(network, data, people="main", layers=[])["input"].sequence(0)
    np.testing.assert_array_equal(got, steady.astype(np.float32).reshape(10, -1))


def test_auto_is_main_for_mostly_single_people_and_absent_people_count_as_absent(network, pairs, small_set):
    assert record(network, small_set, layers=[]).manifest["people"] == "main"
    coords = [np.stack([c, np.zeros_like(c)]) for c in small_set.coords]
    empty = SequenceSet(coords, layout="kinect-v1")
    assert record(network, empty, layers=[]).manifest["people"] == "main"
    both = record(network, empty, people="concatenate")
    assert not both["blocks.2"].sequence(0).reshape(-1, 20, 2, 8)[:, :, 1].any()


# -- layers --------------------------------------------------------------------------------------


def test_names_and_patterns_choose_layers(network, small_set):
    assert record(network, small_set, layers=["blocks.2"]).layers == ("input", "blocks.2")
    store = record(network, small_set, layers=["blocks.[02]", "input"])
    assert store.layers == ("input", "blocks.0", "blocks.2")
    assert [store[n].title for n in store.layers] == ["input", "layer 1", "layer 3"]
    assert [la.name for la in find_layers(network, "blocks.*")] == list(network.layer_names)
    inner = record(network, small_set, layers=["blocks.1.conv", "blocks.1"])
    assert inner.layers == ("input", "blocks.1", "blocks.1.conv")
    assert [inner[n].index for n in inner.layers] == [0, 1, 2]
    assert inner["blocks.1.conv"].title == "blocks.1.conv"


def test_an_unknown_layer_fails_with_the_nearest_names(network, small_set):
    with pytest.raises(LayerNotFoundError, match=r"no layer 'block\.1'; did you mean 'blocks\.1'"):
        record(network, small_set, layers=["block.1"])
    with pytest.raises(LayerNotFoundError, match="no layer 'convs"):
        record(network, small_set, layers=["convs.*"])
    with pytest.raises(LayerNotFoundError, match=r"no layer 'blocks\.O'; did you mean 'blocks"):
        record(network, small_set)["blocks.O"]
    del network.layer_names
    with pytest.raises(LayerNotFoundError, match="no 'layer_names'"):
        record(network, small_set)


@pytest.mark.parametrize(
    ("name", "text"),
    [("head", r"\(1, 3\), which is not '\(NM\)CTV': it has 2 axes.*choose another layer"), ("data_bn", r"N\(VC\)T")],
)
def test_a_layer_that_is_not_spatio_temporal_is_refused(network, small_set, name, text):
    with pytest.raises(LayerNotFoundError, match=text):
        record(network, small_set, layers=[name])


def test_layers_that_run_never_or_twice_are_refused(network, small_set):
    network.unused = torch.nn.ReLU()
    with pytest.raises(LayerNotFoundError, match="is not called in the forward pass"):
        record(network, small_set, layers=["unused"])
    network.blocks[2].norm = network.blocks[1].norm = torch.nn.Identity()
    with pytest.raises(LayerNotFoundError, match="more than once"):
        record(network, small_set, layers=["blocks.1.norm"])


@pytest.mark.parametrize(("name", "text"), [("blocks.9", "did you mean 'blocks"), ("inptu", "did you mean 'input'")])
def test_observing_an_unknown_layer_names_the_nearest_and_changes_nothing(network, name, text):
    before = state(network.train())
    with pytest.raises(LayerNotFoundError, match=f"TinyNetwork has no layer {name!r}; {text}"):
        observing(network, ["blocks.0", name]).__enter__()
    assert state(network) == before


class Parts(NamedTuple):
    """What a block of one's own may return."""

    features: torch.Tensor
    length: int


class NamedParts(torch.nn.Module):
    """A network whose layer returns a named tuple, of which it reads the first part by name."""

    def __init__(self) -> None:
        super().__init__()
        self.lift = torch.nn.Conv2d(3, 4, 1)
        self.lift.register_forward_hook(lambda _m, _x, y: Parts(y, y.shape[2]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lift(x[..., 0]).features.mean((2, 3))


def test_a_named_tuple_stays_one_with_gradients():
    with observing(NamedParts(), ["lift"], gradients=True) as run:
        logits, outputs = run(torch.randn(2, 3, 5, 20, 1))
        (gradient,) = torch.autograd.grad(logits[:, 1].sum(), outputs["lift"])
    assert outputs["lift"].shape == (2, 4, 5, 20)
    assert gradient[:, 1].abs().min() > 0


def test_recordings_of_another_skeleton_are_refused(network, small_set):
    other = SequenceSet(small_set.coords, layout="nw-ucla")
    with pytest.raises(LayoutError, match=r"'kinect-v1'.*'nw-ucla'"):
        record(network, other)
    flat = small_set.with_coords([np.concatenate([c, c[..., :1]], axis=-1) for c in small_set.coords])
    with pytest.raises(SequenceError, match="takes 3 channels"):
        record(network, flat)


@pytest.mark.parametrize(
    ("lengths", "layer_lengths", "stride"),
    [
        ([5, 9], [5, 9], 1),
        ([5, 9], [3, 5], 2),
        ([41, 125], [11, 32], 4),
        ([9, 10], [3, 4], 3),
        ([5], [2], 4),  # 3 and 4 fit; strides are powers of two more often
        ([1], [1], 1),
        ([20, 30], [12, 22], 1),  # borders cropped
        ([20, 30], [8, 13], 2),
        ([51, 52], [25, 26], 2),  # pooled without padding
        ([100, 101, 102, 103], [50, 50, 51, 51], 2),
        ([101, 102], [25, 25], 4),
    ],
)
def test_temporal_stride(lengths, layer_lengths, stride):
    assert temporal_stride(np.array(lengths), np.array(layer_lengths)) == stride


# -- the network comes back as it was ---------------------------------------------------------------


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("fail", [False, True])
def test_the_network_is_left_as_it_was(network, small_set, gradients, fail):
    network.train()
    network.blocks[1].eval()
    network.blocks[0].norm.eval()
    network.head.weight.requires_grad_(False)
    weights = {k: v.clone() for k, v in network.state_dict().items()}
    before = state(network)
    network.fail = fail
    batch = torch.zeros(2, 3, 12, 20, 1)

    def use() -> None:
        with observing(network, ["blocks.0", "blocks.2"], gradients=gradients) as run:
            assert not network.training
            run(batch)

    if fail:
        with pytest.raises(RuntimeError, match="no forward today"):
            use()
        with pytest.raises(RuntimeError, match="no forward today"):
            record(network, small_set)
    else:
        use()
        record(network, small_set)
    assert state(network) == before
    assert all(torch.equal(v, weights[k]) for k, v in network.state_dict().items())


# -- on disk -------------------------------------------------------------------------------------


def test_a_store_on_disk_holds_what_memory_holds(network, small_set, tmp_path):
    path = tmp_path / "layers.zarr"
    made, kept = record(network, small_set, store=path), record(network, small_set)
    opened = LayerStore.open(path)
    for store in (made, opened):
        assert store.layers == kept.layers
        for name in kept.layers:
            np.testing.assert_array_equal(store[name].features[:], kept[name].features[:])
            np.testing.assert_array_equal(store[name].offsets, kept[name].offsets)
            assert store[name].temporal_stride == kept[name].temporal_stride
    manifest = opened.manifest
    assert manifest["data"] == small_set.fingerprint()
    assert manifest["network"]["class"] == "TinyNetwork"
    assert manifest["network"]["options"]["classes"] == 3
    assert manifest["layers"] == list(kept.layers)
    assert (manifest["padding"], manifest["people"]) == ("none", "main")
    assert {"stgcnlib", "created"} <= set(manifest)
    assert [p.name for p in tmp_path.iterdir()] == ["layers.zarr"]
    assert not list(path.glob("*.scratch"))
    assert manifest["network"]["weights"] != record(TinyNetwork(seed=1), small_set).manifest["network"]["weights"]


def test_an_interrupted_record_leaves_nothing(network, small_set, tmp_path, monkeypatch):
    network.fail = True
    with pytest.raises(RuntimeError):
        record(network, small_set, store=tmp_path / "a.zarr")
    assert list(tmp_path.iterdir()) == []

    network.fail = False
    record(network, small_set, store=tmp_path / "a.zarr")
    calls = []

    def broken(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("stgcnlib.activations.recording.write_layer", broken)
    with pytest.raises(KeyboardInterrupt):
        record(TinyNetwork(seed=1), small_set, store=tmp_path / "a.zarr")
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    assert len(LayerStore.open(tmp_path / "a.zarr")) == 4


def test_recording_again_replaces_a_store_but_nothing_else(network, small_set, tmp_path):
    path = tmp_path / "a"
    path.mkdir()
    record(network, small_set, store=path)
    record(network, small_set, store=path, layers=["blocks.1"])
    assert LayerStore.open(path).layers == ("input", "blocks.1")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text.tex").write_text("years of work")
    with pytest.raises(SkeletonFormatError, match="not a LayerStore, so it is not replaced"):
        record(network, small_set, store=tmp_path / "thesis")
    assert (tmp_path / "thesis" / "text.tex").read_text() == "years of work"


def test_an_open_store_notices_that_its_folder_was_replaced(network, small_set, tmp_path):
    path = tmp_path / "layers.zarr"
    first = record(network, small_set, store=path)
    features, scores = first["blocks.2"].sequence(0), first.scores
    shutil.copytree(path, tmp_path / "copy")
    other = record(in_double(TinyNetwork(seed=7)), small_set, store=path)
    last = other["blocks.2"]
    for read in (lambda: first["blocks.2"].sequence(0), lambda: first.scores, lambda: first["input"].features[:5]):
        with pytest.raises(SkeletonFormatError, match=r"layers.zarr: was replaced or removed since it was opened"):
            read()
    assert not np.array_equal(last.sequence(0), features)
    shutil.rmtree(path)
    with pytest.raises(SkeletonFormatError, match=r"layers.zarr: was replaced or removed since it was opened"):
        last.sequence(0)
    shutil.copytree(tmp_path / "copy", path)  # the same store at the same place, other files
    np.testing.assert_array_equal(first["blocks.2"].sequence(0), features)
    np.testing.assert_array_equal(first.scores, scores)


def test_opening_something_else_names_the_folder(network, small_set, tmp_path):
    with pytest.raises(SkeletonFormatError, match="nowhere: no such folder"):
        LayerStore.open(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SkeletonFormatError, match="empty: not a LayerStore"):
        LayerStore.open(tmp_path / "empty")

    record(network, small_set, store=tmp_path / "whole")

    def damaged(name: str) -> Path:
        return Path(shutil.copytree(tmp_path / "whole", tmp_path / name))

    chunk = next(p for p in (damaged("lost") / "layer02").rglob("*") if p.is_file() and p.name != "zarr.json")
    chunk.unlink()
    with pytest.raises(SkeletonFormatError, match=r"lost: .*layer 'blocks\.1': layer02 has 0 of 1 chunks"):
        LayerStore.open(tmp_path / "lost")
    shutil.rmtree(damaged("gone") / "layer03")
    with pytest.raises(SkeletonFormatError, match="gone: incomplete LayerStore"):
        LayerStore.open(tmp_path / "gone")
    (damaged("cut") / "zarr.json").write_text('{"zarr_fo')
    with pytest.raises(SkeletonFormatError, match="cut: not a LayerStore"):
        LayerStore.open(tmp_path / "cut")
    chunk = next(p for p in (damaged("short") / "layer02").rglob("*") if p.is_file() and p.name != "zarr.json")
    chunk.write_bytes(chunk.read_bytes()[:100])
    with pytest.raises(SkeletonFormatError, match=r"short: .*layer 'blocks\.1': .* a chunk has 100 bytes instead"):
        LayerStore.open(tmp_path / "short")


# -- the real network ------------------------------------------------------------------------------


def test_ten_layers_of_st_gcn_padded_and_not(rng):
    networks = pytest.importorskip("stgcnlib.networks")
    network = in_double(networks.load_network("st-gcn", layout="kinect-v1", classes=4, width=8, seed=1))
    coords = [rng.normal(size=(frames, 20, 3)) for frames in (150, 121, 150, 60)]
    data = SequenceSet(coords, layout="kinect-v1")
    free, padded = record(network, data), record(network, data, padding="crop")
    assert free.layers == ("input", *network.layer_names)
    assert [free[n].temporal_stride for n in free.layers] == [1] * 5 + [2] * 3 + [4] * 3
    assert [padded[n].temporal_stride for n in free.layers] == [1] * 5 + [2] * 3 + [4] * 3
    reach = 0
    for k, name in enumerate(free.layers):
        # A block looks 4 frames ahead, at the rate of its input.
        reach += 4 * free[free.layers[k - 1]].temporal_stride if k else 0
        for i, frames in enumerate(data.lengths):
            a, b = free[name].sequence(i), padded[name].sequence(i)
            clean = int(np.sum(np.arange(len(a)) * free[name].temporal_stride + reach < frames))
            np.testing.assert_allclose(a[:clean], b[:clean], **STORED)
            if frames == 150:
                np.testing.assert_allclose(a, b, **STORED)
    assert reach == 4 * (5 + 3 * 2 + 2 * 4)


@pytest.mark.parametrize("kept", [True, False])
def test_the_scores_of_the_pass_are_kept(
    small_set: SequenceSet, network: TinyNetwork, tmp_path: Path, kept: bool
) -> None:
    scores = record(network, small_set, store=tmp_path / "layers" if kept else None, progress=False).scores
    expected = evaluate(network, small_set).logits
    # Recordings differ by far more than rounding, so that a wrong order shows.
    assert np.abs(expected - np.roll(expected, 1, axis=0)).max(axis=1).min() > 1e-3
    assert scores is not None
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_a_network_without_class_scores_has_none(small_set: SequenceSet) -> None:
    class Filter(torch.nn.Module):
        layer_names = ("conv",)

        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x.permute(0, 4, 1, 2, 3).flatten(0, 1))

    assert record(Filter(), small_set, progress=False).scores is None
