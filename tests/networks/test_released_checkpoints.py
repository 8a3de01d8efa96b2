"""Checkpoints as they are released and left by trainings: other names, averages, notes of numpy's, other stages."""

from __future__ import annotations

import argparse
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stgcnlib.activations import record
from stgcnlib.errors import CheckpointError, StudyError
from stgcnlib.networks import load_network, load_weights, read_checkpoint
from stgcnlib.sequences import SequenceSet

PLANNED = ["st-gcn", "agcn", "aagcn", "ctr-gcn", "st-gcn++", "shift-gcn"]


def network(name: str, **options: Any) -> nn.Module:
    sizes: dict[str, Any] = {"layout": "coco-17", "classes": 5, "channels": 2, "width": 12, "depth": 4, "seed": 0}
    return load_network(name, **{**sizes, **options})


def same(one: nn.Module, two: nn.Module) -> bool:
    ours, theirs = one.state_dict(), two.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(value, theirs[key]) for key, value in ours.items())


def mmcv(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Named as MMAction2 and PYSKL save an ST-GCN++."""
    return {("cls_head.fc_cls." + k[3:]) if k.startswith("fc.") else "backbone." + k: v for k, v in state.items()}


@pytest.mark.parametrize("name", ["agcn", "auto"])
def test_released_bone_weights_of_2s_agcn(tmp_path: Path, name: str) -> None:
    saved = network("agcn")
    state = {k: v for k, v in saved.state_dict().items() if "num_batches" not in k}  # PyTorch 0.3 had none
    torch.save({k.replace("gcn1.down.", "gcn1.conv_res."): v for k, v in state.items()}, tmp_path / "bone.pt")
    assert same(load_network(name, checkpoint=tmp_path / "bone.pt"), saved)


@pytest.mark.parametrize("name", ["st-gcn++", "auto"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_averages_of_a_hook_are_passed_over(tmp_path: Path, name: str, prefix: str) -> None:
    saved = network("st-gcn++")
    state = mmcv(dict(saved.state_dict()))
    averages = {"ema_" + k.replace(".", "_"): torch.zeros_like(v) for k, v in state.items()}
    torch.save({"state_dict": {prefix + k: v for k, v in state.items()} | averages}, tmp_path / "epoch_24.pth")
    assert same(load_network(name, checkpoint=tmp_path / "epoch_24.pth"), saved)


@pytest.mark.parametrize("counter", ["n_averaged", "steps"])
def test_averaged_models_bring_a_counter(tmp_path: Path, counter: str) -> None:
    saved = network("ctr-gcn")
    state = {f"module.{k}": v for k, v in saved.state_dict().items()}
    torch.save({**state, counter: torch.tensor(7)}, tmp_path / "averaged.pt")
    assert same(load_network("auto", checkpoint=tmp_path / "averaged.pt"), saved)


@pytest.mark.parametrize("name", ["ctr-gcn", "auto"])
def test_heads_that_only_served_a_loss_are_left_out(tmp_path: Path, name: str) -> None:
    saved = network("ctr-gcn")
    heads = {
        f"ren_{level}.{part}": torch.ones(3)
        for level in ("low", "mid", "high", "fin")
        for part in ("spatio_cl_net.cl_fc.weight", "tempor_cl_net.cl_fc.bias", "spatio_squeeze.0.weight",
                     "spatio_squeeze.1.running_mean", "tempor_squeeze.1.weight")
    }  # fmt: skip
    torch.save({**saved.state_dict(), **heads}, tmp_path / "fr_head.pt")
    assert same(load_network(name, checkpoint=tmp_path / "fr_head.pt"), saved)
    torch.save({**saved.state_dict(), "ren_other.weight": torch.ones(3)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"has 'ren_other\.weight', which CTRGCN does not know"):
        load_network(name, checkpoint=tmp_path / "other.pt")


def test_what_a_network_of_ones_own_calls_so_is_kept(tmp_path: Path) -> None:
    class Own(nn.Module):
        def __init__(self, value: float) -> None:
            super().__init__()
            self.gcn1 = nn.ModuleDict({"conv_res": nn.Linear(2, 2)})
            self.ren_low = nn.Linear(2, 2)
            self.register_buffer("ema_ren_low_weight", torch.full((2, 2), value))
            self.register_buffer("n_averaged", torch.tensor(value))

    saved, loaded = Own(2.0), Own(3.0)
    torch.save(saved.state_dict(), tmp_path / "own.pt")
    load_weights(loaded, tmp_path / "own.pt")
    assert same(loaded, saved)


# -- notes beside the weights ----------------------------------------------------------------------


def rename_globals(file: Path, old: bytes, new: bytes) -> None:
    """The pickle of a zipped file, with one module's name in it changed, as an older numpy would have written it."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(old, new) if name.endswith("data.pkl") else content)


@pytest.mark.parametrize("zipped", [True, False])
def test_values_of_numpy_do_not_stand_in_the_way(tmp_path: Path, zipped: bool) -> None:
    saved = network("st-gcn")
    notes = {
        "best": np.float64(0.9), "epoch": np.int64(3), "curve": np.arange(5.0), "names": np.array(["a", "b"]),
        "flag": np.bool_(True), "dtype": np.dtype("f4"), "kind": np.float32,
        "state": np.random.RandomState(1).get_state(),
    }  # fmt: skip
    file = tmp_path / "best.pt"
    content = {"meta": notes, "state_dict": saved.state_dict()}
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    assert same(load_network("auto", checkpoint=file), saved)
    if zipped:
        rename_globals(file, b"numpy._core", b"numpy.core")
        assert same(load_network("auto", checkpoint=file), saved)


def test_numpy_itself_takes_nothing_from_a_file(tmp_path: Path) -> None:
    """A scalar of objects made from raw bytes would be a wild pointer; here it is nothing at all."""
    file = tmp_path / "forged.pt"
    state = (b"\x80\x02cnumpy._core.multiarray\nscalar\ncnumpy\ndtype\nX\x02\x00\x00\x00O8K\x00K\x01\x87R"
             b"(K\x03X\x01\x00\x00\x00|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
             b"c_codecs\nencode\nX\x08\x00\x00\x00AAAAAAAAX\x06\x00\x00\x00latin1\x86R\x86R.")  # fmt: skip
    torch.save({"weight": torch.ones(1)}, file)
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, state if name.endswith("data.pkl") else content)
    with pytest.raises(CheckpointError, match=r"forged\.pt: holds no state dict"):
        read_checkpoint(file)


def test_other_code_beside_numpy_is_still_refused(tmp_path: Path) -> None:
    file = tmp_path / "args.pt"
    torch.save({"best": np.float64(1), "args": argparse.Namespace(a=1), "model": {"w": torch.ones(1)}}, file)
    with pytest.raises(CheckpointError, match=r"it asks for argparse\.Namespace"):
        read_checkpoint(file)
    assert np.float64(0.5) == pickle.loads(pickle.dumps(np.float64(0.5)))  # numpy is as it was


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model", "network", "net"])
def test_the_wrapper_that_is_there_is_named(tmp_path: Path, wrapper: str, zipped: bool) -> None:
    file = tmp_path / "old.pt"
    state = OrderedDict(weight=torch.ones(2))
    torch.save({"args": argparse.Namespace(), wrapper: state}, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError) as refused:
        read_checkpoint(file)
    assert f"torch.save(content['{wrapper}'], 'weights.pt')" in str(refused.value)


def test_a_whole_network_is_saved_by_its_state_dict(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "whole.pt")
    with pytest.raises(CheckpointError, match=r"torch\.save\(content\.state_dict\(\), 'weights\.pt'\)"):
        read_checkpoint(tmp_path / "whole.pt")


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><html><title>Quota</title></html>", r"is a web page \('Quota'\)"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS.*git lfs pull"),
        (b"\x1f\x8b\x08\x00", "is compressed with gzip"),
        (b"", "is empty"),
        (b"{}", ""),
        (b"\x80", ""),
    ],
)
def test_nothing_advises_to_run_what_is_no_pickle(tmp_path: Path, content: bytes, said: str, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{re.escape(name)}: .*{said}") as refused:
        read_checkpoint(tmp_path / name)
    assert "weights_only" not in str(refused.value)


def test_a_zip_of_something_else_says_what_is_in_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "weights.pt", "w") as archive:
        archive.writestr("run/epoch_16.pth", b"x")
    with pytest.raises(
        CheckpointError, match=r"weights\.pt: is a zip archive that begins with 'run/epoch_16\.pth'; unzip"
    ):
        read_checkpoint(tmp_path / "weights.pt")


# -- stages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLANNED)
@pytest.mark.parametrize(("depth", "halvings"), [(6, (6,)), (5, ()), (4, (2, 4)), (3, (3,))])
def test_stages_are_read_from_the_shapes(
    tmp_path: Path, small_set: SequenceSet, name: str, depth: int, halvings: tuple[int, ...]
) -> None:
    saved = network(name, layout="kinect-v1", channels=3, depth=depth, halvings=halvings)
    torch.save(saved.state_dict(), tmp_path / "weights.pt")
    loaded = load_network("auto", layout="kinect-v1", checkpoint=tmp_path / "weights.pt")
    assert loaded.options == saved.options
    assert same(loaded, saved)
    store = record(loaded, small_set, progress=False)
    strides = [2 ** sum(block <= number for block in halvings) for number in range(1, depth + 1)]
    assert [store[layer].temporal_stride for layer in store.layers if layer != "input"] == strides
    torch.save({"state_dict": saved.state_dict(), "network": {}}, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=rf"halvings=\(2,\) where it has \({halvings[0] if halvings else ''}"):
        load_network(name, layout="kinect-v1", checkpoint=tmp_path / "weights.pt", halvings=(2,))


@pytest.mark.parametrize("halvings", [(1,), (5,), (3, 2), (2, 2), (0,)])
def test_halvings_are_blocks_after_the_first(halvings: tuple[int, ...]) -> None:
    with pytest.raises(StudyError, match=r"halvings are .*from 2 to 4, each once, in rising order"):
        network("st-gcn", halvings=halvings)


def test_stages_that_are_not_built_are_named(tmp_path: Path) -> None:
    state = network("st-gcn++").state_dict()
    tripled = {k: v.repeat(3, *[1] * (v.ndim - 1)) if k == "gcn.3.gcn.bn.weight" else v for k, v in state.items()}
    torch.save(tripled, tmp_path / "tripled.pt")
    with pytest.raises(
        CheckpointError, match=r"tripled\.pt: its blocks have 12, 24, 48, 144 channels; 'st-gcn\+\+' is"
    ):
        load_network("auto", checkpoint=tmp_path / "tripled.pt")
    plain = network("st-gcn++", halvings=()).state_dict()
    torch.save({**plain, "gcn.2.residual.conv.weight": torch.ones(12, 12, 1, 1)}, tmp_path / "shortcut.pt")
    with pytest.raises(CheckpointError, match=r"shortcut\.pt: its blocks have 12, 12, 12, 12 channels"):
        load_network("auto", checkpoint=tmp_path / "shortcut.pt")


def test_other_classes_lead_to_fine_tuning(tmp_path: Path) -> None:
    torch.save(network("st-gcn").state_dict(), tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=r"classes=9 where it has 5.*fine_tune.*transfer\.source\.checkpoint"):
        load_network("st-gcn", classes=9, checkpoint=tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match="fine_tune"):
        load_weights(network("st-gcn", classes=9), tmp_path / "weights.pt")
