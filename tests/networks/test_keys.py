"""Names of other code bases: MMAction2's and PYSKL's networks become ours."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stgcnlib.networks import load_network
from stgcnlib.networks.keys import translate


@pytest.mark.parametrize("family", ["st-gcn", "agcn", "shift-gcn", "efficientgcn-b0"])
def test_our_own_names_stay(family: str) -> None:
    state = load_network(family, layout="kinect-v1", classes=3, width=8).state_dict()
    assert list(translate(state)) == list(state)


def mmaction_stgcn(*, same_graph: bool, importance: bool = True) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A state dict of our ST-GCN with two blocks, and the same under MMAction2's names."""
    network = load_network("st-gcn", layout="kinect-v1", classes=3, width=8, depth=2, seed=1)
    ours = {k: torch.rand_like(v) if v.is_floating_point() else v for k, v in network.state_dict().items()}
    parts = {"tcn.0": "gcn.bn", "tcn.2": "tcn.conv", "tcn.3": "tcn.bn", "residual.0": "residual.conv"}
    theirs: dict[str, Tensor] = {}
    for key, value in ours.items():
        new = key.replace("st_gcn_networks.", "backbone.gcn.").replace("data_bn", "backbone.data_bn")
        for own, other in {**parts, "residual.1": "residual.bn"}.items():
            new = new.replace(f".{own}.", f".{other}.")
        if key.startswith("edge_importance."):
            block = int(key.split(".")[1])
            if importance:
                theirs[f"backbone.gcn.{block}.gcn.PA"] = value
            theirs[f"backbone.gcn.{block}.gcn.A"] = ours["A"] if same_graph else ours["A"] + block
        elif key.startswith("fcn."):
            theirs[key.replace("fcn.", "cls_head.fc.")] = value.flatten(1) if value.ndim == 4 else value
        elif key != "A":
            theirs[new] = value
    return ours, theirs


def test_mmaction_st_gcn_keeps_its_graph_and_importance_apart() -> None:
    ours, theirs = mmaction_stgcn(same_graph=True)
    result = translate(theirs)
    assert result.keys() == ours.keys()
    assert all(torch.equal(result[key], ours[key]) for key in ours)


@pytest.mark.parametrize("importance", [True, False])
def test_graphs_that_differ_by_block_go_into_the_importance(importance: bool) -> None:
    ours, theirs = mmaction_stgcn(same_graph=False, importance=importance)
    result = translate(theirs)
    assert result.keys() == ours.keys()
    assert (result["A"] == 1).all()
    expected = (ours["A"] + 1) * (ours["edge_importance.1"] if importance else 1)
    torch.testing.assert_close(result["edge_importance.1"], expected)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("backbone.gcn.3.gcn.A", "l4.gcn1.PA"),
        ("backbone.gcn.0.gcn.conv_d.1.weight", "l1.gcn1.conv_d.1.weight"),
        ("backbone.gcn.9.tcn.bn.weight", "l10.tcn1.bn.weight"),
        ("backbone.gcn.4.residual.conv.bias", "l5.residual.conv.bias"),
        ("backbone.net.1.gcn1.A", "l2.gcn1.PA"),
        ("backbone.net.1.gcn1.convs.0.conv4.weight", "l2.gcn1.convs.0.conv4.weight"),
        ("backbone.data_bn.weight", "data_bn.weight"),
        ("cls_head.fc_cls.weight", "fc.weight"),
        ("cls_head.fc.bias", "fc.bias"),
    ],
)
def test_names_of_adaptive_networks(theirs: str, ours: str) -> None:
    assert list(translate({theirs: torch.ones(2)})) == [ours]


def test_st_gcn_plus_plus_only_loses_its_prefix() -> None:
    state = load_network("st-gcn++", layout="kinect-v1", classes=3, width=12, depth=2).state_dict()
    theirs = {
        k.replace("fc.", "cls_head.fc_cls.") if k.startswith("fc.") else f"backbone.{k}": v for k, v in state.items()
    }
    assert list(translate(theirs)) == list(state)


def test_hd_gcn_keeps_its_last_level_twice_and_the_second_counts() -> None:
    own = load_network("hd-gcn", layout="coco-17", classes=3, width=4, depth=2, seed=0).state_dict()
    theirs = dict(own)
    last = len(own["l1.gcn1.PA"]) - 1
    for key, value in own.items():
        if f".conv.{last}." in key:
            theirs[key.replace(f".conv.{last}.", ".conv_d.")] = value + 1
        if key.endswith(".3.conv.bias") and ".tcn1." in key:
            theirs[key.replace(".3.conv.bias", ".3.bias")] = theirs.pop(key)[None, :, None, None]
    found = translate(theirs)
    assert found.keys() == own.keys()
    for key, value in own.items():
        torch.testing.assert_close(found[key], value + 1 if f".conv.{last}." in key else value, rtol=0, atol=0)
