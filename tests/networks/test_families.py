"""Every published network is told by its keys and gives its sizes away; what belongs to none is refused with counts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stgcnlib.errors import CheckpointError
from stgcnlib.networks import load_network, read_checkpoint
from stgcnlib.networks.families import FAMILIES, find_family, infer, match_family

NTU = {"joints": 25, "channels": 3, "people": 2, "width": 64, "depth": 10}

GOLDEN = {
    "stgcn": ("st-gcn", NTU | {"classes": 60, "people": 1, "strategy": "spatial", "edge_importance": True}),
    "stgcn_kinetics": ("st-gcn", NTU | {"classes": 400, "people": 1, "joints": 18, "max_hop": 1}),
    "mm_stgcn": ("st-gcn", NTU | {"people": 1}),
    "mm_stgcn_coco": ("st-gcn", NTU | {"people": 1, "joints": 17}),
    "mm_stgcnpp": ("st-gcn++", NTU | {"people": 1}),
    "agcn": ("agcn", NTU | {"classes": 60}),
    "aagcn": ("aagcn", NTU | {"classes": 60}),
    "mm_aagcn": ("aagcn", NTU),
    "ctrgcn": ("ctr-gcn", NTU | {"classes": 60}),
    "msg3d": ("ms-g3d", {"joints": 25, "channels": 3, "people": 2, "classes": 60, "width": 96, "gcn_scales": 13}),
}


def published(folder: Path, name: str) -> dict[str, Tensor]:
    """Keys and shapes of a published state dict, without memory behind them."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as golden:
        shapes = json.loads(str(golden["shapes"]))
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_published_state_dicts_are_told(golden_folder: Path, name: str, prefix: str) -> None:
    family, sizes = GOLDEN[name]
    state = {prefix + key: value for key, value in published(golden_folder, name).items()}
    assert find_family(state).name == family
    found = infer(state, FAMILIES[family])
    assert {key: found.get(key) for key in sizes} == sizes
    fitting = [other.name for other in FAMILIES.values() if match_family(state, other).fits]
    assert fitting == [family]


@pytest.mark.parametrize(
    ("file", "family", "sizes"),
    [
        ("ntu_ShiftGCN_joint_xview.pt", "shift-gcn", NTU | {"classes": 60}),
        (
            "efficientgcn_b0_ntu_xsub.state_dict.pt",
            "efficientgcn-b0",
            {"classes": 60, "joints": 25, "channels": 3, "width": 64},
        ),
    ],
)
def test_real_checkpoints_are_told(golden_folder: Path, file: str, family: str, sizes: dict[str, int]) -> None:
    path = golden_folder.parent / "weights" / file
    if not path.exists():
        pytest.skip(f"{path} is not there")
    state = read_checkpoint(path)
    assert find_family(state).name == family
    found = infer(state, FAMILIES[family])
    assert {key: found.get(key) for key in sizes} == sizes


@pytest.mark.parametrize("head", ["cls_head.fc_cls", "cls_head.fc"])
def test_heads_of_mmaction2_and_pyskl_tell_the_classes(golden_folder: Path, head: str) -> None:
    state = published(golden_folder, "mm_stgcnpp") | {f"{head}.weight": torch.empty(120, 256, device="meta")}
    assert find_family(state).name == "st-gcn++"
    assert infer(state, FAMILIES["st-gcn++"])["classes"] == 120


@pytest.mark.parametrize(
    "options",
    [
        {"width": 8, "depth": 3},
        {"width": 4, "depth": 2, "strategy": "uniform"},
        {"width": 4, "depth": 2, "strategy": "distance", "edge_importance": False},
        {"width": 4, "depth": 1, "max_hop": 2},
    ],
)
def test_our_st_gcn_gives_its_options_away(options: dict[str, object]) -> None:
    network = load_network("st-gcn", layout="openpose-18", classes=7, channels=2, **options)
    found = infer(network.state_dict(), find_family(network.state_dict()))
    expected = {"classes": 7, "channels": 2, "joints": 18, "people": 1} | options
    assert {key: found.get(key) for key in expected} == expected


def test_a_stranger_is_refused_with_what_it_holds() -> None:
    state = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).state_dict()
    with pytest.raises(CheckpointError, match=r"x\.pt: belongs to no network.*4 tensors, such as '0\.weight'.*factory"):
        find_family(state, source="x.pt")


def test_the_nearest_family_is_named_with_counts(golden_folder: Path) -> None:
    state = published(golden_folder, "aagcn")
    cut = {key: value for key, value in state.items() if "conv_ta" not in key}
    with pytest.raises(CheckpointError, match=r"nearest is 'aagcn', with 1 kinds of keys missing \('l#\.gcn#\.conv_ta"):
        find_family(cut)
    extra = state | {f"teacher.{k}.weight": torch.empty(1) for k in range(100)}
    with pytest.raises(CheckpointError, match=r"nearest is 'aagcn', with 100 unexpected keys \('teacher\.0\.weight'"):
        find_family(extra)
    # A few keys of the training around it do not hide what it is.
    assert find_family(state | {"criterion.weight": torch.empty(60)}).name == "aagcn"
