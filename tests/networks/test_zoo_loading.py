"""Every family comes back from its bare state dict alone; the authors' own weights need the layout, which two fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stgcnlib.networks import NETWORKS, load_network


@pytest.mark.parametrize("name", NETWORKS)
def test_auto_finds_family_and_sizes(name: str, tmp_path: Path) -> None:
    saved = load_network(name, layout="coco-17", classes=4, channels=2, width=12, seed=0)
    torch.save({"state_dict": saved.state_dict()}, tmp_path / "weights.pt")
    loaded = load_network("auto", checkpoint=tmp_path / "weights.pt")
    assert type(loaded) is type(saved)
    assert loaded.options == saved.options
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), saved.parameters(), strict=True))


@pytest.mark.parametrize(
    ("file", "kind"),
    [("ntu_ShiftGCN_joint_xview.pt", "ShiftGCN"), ("efficientgcn_b0_ntu_xsub.state_dict.pt", "EfficientGCN")],
)
def test_real_weights_need_only_the_layout(golden_folder: Path, file: str, kind: str) -> None:
    path = golden_folder.parent / "weights" / file
    if not path.exists():
        pytest.skip(f"{path} is not there")
    network = load_network("auto", layout="ntu-rgb+d", checkpoint=path)
    assert (type(network).__name__, network.classes, network.layout.name) == (kind, 60, "ntu-rgb+d")
