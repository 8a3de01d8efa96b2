"""load_network: sizes come from the checkpoint, and what contradicts it is refused with both values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from stgcnlib.errors import CheckpointError, LayoutError, StgcnlibError, StudyError
from stgcnlib.networks import load_network, save_checkpoint
from stgcnlib.skeleton import layout


def network(**options: Any) -> nn.Module:
    sizes: dict[str, Any] = {"layout": "coco-17", "classes": 4, "channels": 2, "width": 4, "depth": 3, "seed": 0}
    return load_network("st-gcn", **{**sizes, **options})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.save(network().state_dict(), tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


@pytest.mark.parametrize("name", ["st-gcn", "auto"])
def test_nothing_but_the_checkpoint_is_needed(file: Path, name: str) -> None:
    loaded = load_network(name, checkpoint=file)
    assert (loaded.layout.name, loaded.classes, loaded.channels) == ("coco-17", 4, 2)
    assert (loaded.options["width"], loaded.options["depth"]) == (4, 3)
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), network().parameters(), strict=True))
    assert not loaded.training


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"classes": 5}, r"weights\.pt: .*classes=5 where it has 4; leave classes out"),
        ({"channels": 3, "width": 8}, r"channels=3 where it has 2, width=8 where it has 4"),
        ({"depth": 10}, r"depth=10 where it has 3"),
        ({"strategy": "uniform"}, r"strategy='uniform' where it has 'spatial'"),
        ({"layout": "openpose-18"}, r"layout 'openpose-18' of 18 joints where it has 17"),
    ],
)
def test_contradictions_name_both_values(file: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        load_network("auto", checkpoint=file, **given)


def test_agreeing_values_may_be_given(file: Path) -> None:
    load_network("st-gcn", layout="coco-17", classes=4, channels=2, width=4, checkpoint=file)


def test_what_shapes_do_not_tell_is_kept_as_given_or_as_saved(tmp_path: Path) -> None:
    saved = network(dropout=0.3)
    save_checkpoint(saved, tmp_path / "ours.pt")
    assert load_network("auto", checkpoint=tmp_path / "ours.pt").options["dropout"] == 0.3
    torch.save(saved.state_dict(), tmp_path / "bare.pt")
    assert load_network("auto", checkpoint=tmp_path / "bare.pt", dropout=0.2).options["dropout"] == 0.2


@pytest.mark.parametrize("trained_on", ["kinect-v1", "nw-ucla"])
def test_several_layouts_of_one_size_are_told_by_their_graph(tmp_path: Path, trained_on: str) -> None:
    state = network(layout=trained_on).state_dict()
    torch.save(state, tmp_path / "weights.pt")
    assert load_network("auto", checkpoint=tmp_path / "weights.pt").layout.name == trained_on
    del state["A"]
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(LayoutError, match=r"20 joints, which several layouts have \('kinect-v1', 'nw-ucla'"):
        load_network("auto", checkpoint=tmp_path / "weights.pt")
    chosen = load_network("auto", checkpoint=tmp_path / "weights.pt", layout=trained_on)
    assert chosen.layout.name == trained_on


def test_an_unknown_number_of_joints_asks_for_the_layout(tmp_path: Path) -> None:
    state = network().state_dict()
    state["A"] = torch.zeros(3, 99, 99)
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(LayoutError, match="99 joints, which no known layout has; give the layout"):
        load_network("auto", checkpoint=tmp_path / "weights.pt")


def test_a_backbone_without_head_asks_for_its_classes(tmp_path: Path) -> None:
    state = {key: value for key, value in network().state_dict().items() if not key.startswith("fcn")}
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(StudyError, match=r"needs classes, since .*weights\.pt does not tell; give classes="):
        load_network("auto", checkpoint=tmp_path / "weights.pt")


def test_fresh_weights_in_the_sizes_of_a_checkpoint(file: Path) -> None:
    one, two, other = (load_network("auto", checkpoint=file, weights="fresh", seed=s) for s in (1, 1, 2))
    assert one.options["width"] == 4
    assert torch.equal(one.fcn.weight, two.fcn.weight)
    assert not torch.equal(one.fcn.weight, other.fcn.weight)
    assert not torch.equal(one.fcn.weight, network().fcn.weight)


def test_what_is_missing_without_a_checkpoint_is_named() -> None:
    with pytest.raises(StudyError, match=r"needs layout and classes, without a checkpoint; give layout and classes="):
        load_network("st-gcn")
    with pytest.raises(StudyError, match="'auto' is the family of a checkpoint"):
        load_network("auto")
    with pytest.raises(StudyError, match="weights is 'old'"):
        load_network("auto", weights="old")  # type: ignore[arg-type]


def test_a_checkpoint_of_another_family_is_named(file: Path, tmp_path: Path) -> None:
    state = {f"l{k}.gcn1.PA": torch.zeros(3, 25, 25) for k in range(1, 11)}
    kinds = ("conv_a.0.weight", "conv_b.0.weight", "conv_d.0.weight", "bn.weight")
    state |= {f"l1.gcn1.{kind}": torch.zeros(4) for kind in kinds}
    state |= {f"l1.tcn1.{kind}": torch.zeros(4) for kind in ("conv.weight", "bn.weight")}
    state |= {"data_bn.weight": torch.zeros(150), "fc.weight": torch.zeros(60, 256)}
    torch.save(state, tmp_path / "agcn.pt")
    with pytest.raises(CheckpointError, match=r"agcn\.pt: is a checkpoint of 'agcn', not of 'st-gcn'"):
        load_network("st-gcn", layout="ntu-rgb+d", classes=60, checkpoint=tmp_path / "agcn.pt")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"other\.pt: belongs to no network of the zoo"):
        load_network("auto", checkpoint=tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"other\.pt: lacks '"):
        load_network("st-gcn", layout="ntu-rgb+d", classes=60, checkpoint=tmp_path / "other.pt")


@pytest.mark.parametrize(
    "change",
    [
        {"options": [1, 2]},
        {"options": {"width": "wide"}},
        {"options": {"width": [4]}},
        {"options": {1: 2, "unknown": 3}},
        {"classes": "four"},
        {"channels": -1},
        {"layout": {"name": "mine"}},
        {"layout": {**layout("coco-17").to_dict(), "limbs": 3}},
        {"layout": {**layout("coco-17").to_dict(), "spine": [1]}},
        {"layout": {**layout("coco-17").to_dict(), "bones": [[0, 99]]}},
        {"layout": 7},
        {"class": ["STGCN"]},
    ],
)
def test_a_description_full_of_nonsense_is_an_error_or_ignored(tmp_path: Path, change: dict[str, Any]) -> None:
    save_checkpoint(network(), tmp_path / "ours.pt")
    content = torch.load(tmp_path / "ours.pt", weights_only=True)
    content["network"] |= change
    torch.save(content, tmp_path / "ours.pt")
    try:
        loaded = load_network("auto", checkpoint=tmp_path / "ours.pt")
    except StgcnlibError:
        return
    assert torch.equal(loaded.fcn.weight, network().fcn.weight)
