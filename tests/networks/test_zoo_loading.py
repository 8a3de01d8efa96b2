"""Every family comes back from its bare state dict alone; the authors' own weights need the layout, which two fit."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import torch

from stgcnlib.errors import StudyError
from stgcnlib.networks import NETWORKS, load_network
from stgcnlib.pipeline.line.networks import build
from stgcnlib.pipeline.sections.networks import Network


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


@pytest.mark.parametrize("centre", [0, 1, 20])
def test_hd_gcn_finds_its_centre_of_mass(centre: int, tmp_path: Path) -> None:
    saved = load_network("hd-gcn", layout="ntu-rgb+d", classes=4, width=4, depth=2, centre=centre, seed=0)
    generator = torch.Generator().manual_seed(centre)
    with torch.no_grad():
        for name, parameter in saved.named_parameters():
            if name.endswith("gcn1.PA"):  # as far as trainings move it
                parameter += 0.15 * torch.randn(parameter.shape, generator=generator)
    torch.save(saved.state_dict(), tmp_path / "weights.pt")
    loaded = load_network("auto", layout="ntu-rgb+d", checkpoint=tmp_path / "weights.pt")
    assert loaded.options == saved.options
    x = torch.randn(1, 3, 8, 25, 1, generator=generator)
    assert torch.equal(loaded(x), saved(x))


def test_graphs_that_tell_no_centre_are_warned_of(tmp_path: Path) -> None:
    state = load_network("hd-gcn", layout="ntu-rgb+d", classes=4, width=4, depth=2, seed=0).state_dict()
    noise = {key: torch.randn(value.shape) for key, value in state.items() if key.endswith("gcn1.PA")}
    torch.save({**state, **noise}, tmp_path / "weights.pt")
    with pytest.warns(UserWarning, match=r"weights\.pt: its graphs do not tell.*give centre="):
        load_network("hd-gcn", layout="ntu-rgb+d", checkpoint=tmp_path / "weights.pt")
    loaded = load_network("hd-gcn", layout="ntu-rgb+d", checkpoint=tmp_path / "weights.pt", centre=1)
    assert loaded.options["centre"] == 1


@pytest.mark.parametrize("name", NETWORKS)
def test_an_unknown_option_is_refused_with_the_nearest(name: str) -> None:
    said = rf"^network '{re.escape(name)}' has no option 'widht'; did you mean 'width'\? Its options are .*width"
    with pytest.raises(StudyError, match=said) as refused:
        load_network(name, layout="coco-17", classes=4, widht=12)
    own = set(inspect.signature(NETWORKS[name]).parameters) - {"skeleton", "classes", "channels"}
    assert set(str(refused.value).partition("options are ")[2].split(", ")) == own
    with pytest.raises(StudyError, match=r"has no option 'skeleton'; its options are"):
        load_network(name, layout="coco-17", classes=4, skeleton="coco-17")


def test_options_that_repeat_a_key_of_the_study_are_refused() -> None:
    with pytest.raises(StudyError, match=r"network\.options: 'layout' is set by the study's other keys"):
        build(Network(options={"layout": "coco-17"}), "coco-17", 3, 4)
