"""Every family of the zoo computes what its published implementation computes, layer by layer, in float64.

What float32 may lose on the way is told in `tests/networks/test_float32.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from golden_case import check_keys, error, layer_outputs, load_case, load_doubles

from stgcnlib.networks import NETWORKS, load_network, load_weights
from stgcnlib.networks.graph import hierarchical_adjacency, hierarchy, hop_index
from stgcnlib.networks.protogcn import ProtoGCN

SAME = 1e-10  # what double leaves of a difference, with room for a softmax near ties
# Published code that rounds to float32 on the way: MS-G3D stores its normalised graphs so, MMAction2's ST-GCN
# normalises its graph in float32. A rounded entry is off by up to 6e-8 of itself.
ROUNDED_GRAPH = 1e-7


@pytest.mark.parametrize(
    ("family", "name", "layout", "tolerance"),
    [
        ("st-gcn", "stgcn", "ntu-rgb+d", SAME),
        ("st-gcn", "stgcn_kinetics", "openpose-18", SAME),
        ("agcn", "agcn", "ntu-rgb+d", SAME),
        ("aagcn", "aagcn", "ntu-rgb+d", SAME),
        ("ctr-gcn", "ctrgcn", "ntu-rgb+d", SAME),
        ("ms-g3d", "msg3d", "ntu-rgb+d", ROUNDED_GRAPH),
    ],
)
def test_published_networks(family: str, name: str, layout: str, tolerance: float, golden_folder: Path) -> None:
    golden, state = load_case(golden_folder, name)
    exact = load_doubles(golden_folder, name)
    network = load_network(family, layout=layout, classes=exact["logits"].shape[1])
    check_keys(network, state)
    logits, outputs = layer_outputs(network.double(), torch.from_numpy(golden["input"]).double())
    assert error(logits, exact["logits"]) < tolerance
    assert [f"act/{layer}" for layer in network.layer_names] == [key for key in exact if key.startswith("act/")]
    for layer in network.layer_names:
        assert error(outputs[layer][:, ::8], exact[f"act/{layer}"]) < tolerance, layer


@pytest.mark.parametrize(
    ("family", "name", "layout", "tolerance"),
    [
        ("st-gcn", "mm_stgcn", "ntu-rgb+d", ROUNDED_GRAPH),
        ("st-gcn", "mm_stgcn_coco", "coco-17", ROUNDED_GRAPH),
        ("st-gcn++", "mm_stgcnpp", "ntu-rgb+d", SAME),
        ("aagcn", "mm_aagcn", "ntu-rgb+d", SAME),
    ],
)
def test_mmaction_backbones(family: str, name: str, layout: str, tolerance: float, golden_folder: Path) -> None:
    golden, state = load_case(golden_folder, name)
    exact = load_doubles(golden_folder, name)
    network = load_network(family, layout=layout, classes=60)
    check_keys(network, state, head=False)
    x = torch.from_numpy(golden["input"]).permute(0, 4, 2, 3, 1)
    _, outputs = layer_outputs(network.double(), x.double())
    for index, layer in enumerate(network.layer_names):
        assert error(outputs[layer][:, ::8], exact[f"act/gcn.{index}"]) < tolerance, layer
    assert error(outputs[network.layer_names[-1]][None, :, ::8], exact["output"]) < tolerance


# Networks of which only the float64 file is there, filled by its own keys.


@pytest.mark.parametrize(
    ("family", "name", "options"),
    [
        ("hd-gcn", "hdgcn", {"centre": 20}),  # filled graphs tell no centre
        ("hd-gcn", "hdgcn_com1", {"centre": 0}),
        ("hd-gcn", "hdgcn_com2", {"centre": 1}),
        ("hyperformer", "hyperformer", {}),
        ("blockgcn", "blockgcn", {}),
        ("degcn", "degcn", {}),
    ],
)
def test_later_networks(family: str, name: str, options: dict[str, int], golden_folder: Path, tmp_path: Path) -> None:
    exact, state = load_case(golden_folder, name, doubles=True)
    torch.save({"state_dict": state}, tmp_path / "weights.pt")
    network = load_network("auto", layout="ntu-rgb+d", checkpoint=tmp_path / "weights.pt", **options)
    assert isinstance(network, NETWORKS[family])
    check_keys(network, state)
    logits, outputs = layer_outputs(network.double(), torch.from_numpy(exact["input"]).double())
    for layer in network.layer_names:
        assert error(outputs[layer][:, ::8], exact[f"act/{layer}"]) < SAME, layer
    assert error(logits, exact["logits"]) < SAME


def test_protogcn_with_its_prototypes(golden_folder: Path, tmp_path: Path) -> None:
    exact, state = load_case(golden_folder, "protogcn", doubles=True)
    torch.save({"meta": {}, "state_dict": state}, tmp_path / "weights.pt")
    network = load_network("auto", layout="ntu-rgb+d", checkpoint=tmp_path / "weights.pt").double()
    assert isinstance(network, ProtoGCN)
    check_keys(network, state)
    x = torch.from_numpy(exact["input"]).double().permute(0, 4, 2, 3, 1)
    logits, outputs = layer_outputs(network, x)
    for layer in network.layer_names:
        assert error(outputs[layer][:, ::8], exact[f"act/{layer}"]) < SAME, layer
    assert error(logits, exact["logits"]) < SAME
    graph = network.reconstructed_graph(x).detach().numpy()
    assert error(graph.reshape(1, -1), exact["reconstructed_graph"]) < SAME


@pytest.mark.parametrize(("name", "centre"), [("hdgcn", 20), ("hdgcn_com1", 0), ("hdgcn_com2", 1)])
def test_hd_gcn_starts_from_the_published_hierarchy(name: str, centre: int, golden_folder: Path) -> None:
    exact, _ = load_case(golden_folder, name, doubles=True)
    graphs = hierarchical_adjacency(hierarchy("ntu-rgb+d", centre, 6))
    np.testing.assert_allclose(graphs, exact["const/PA_init"], rtol=1e-6)


def test_hops_are_those_of_the_published_graph(golden_folder: Path) -> None:
    exact, _ = load_case(golden_folder, "hyperformer", doubles=True)
    np.testing.assert_array_equal(hop_index("ntu-rgb+d"), exact["const/hops"])


def test_shift_gcn_with_its_authors_weights(golden_folder: Path) -> None:
    weights = golden_folder.parent / "weights" / "ntu_ShiftGCN_joint_xview.pt"
    if not weights.is_file():
        pytest.skip(f"{weights} is not there")
    with np.load(golden_folder / "shiftgcn_ntu_xview.npz", allow_pickle=False) as file:
        golden = {key: file[key] for key in file.files}
    network = load_network("shift-gcn", layout="ntu-rgb+d", classes=60, checkpoint=weights)
    # The authors' feeder repeats a recording until 300 frames are full.
    once = golden["normalized"][:, :, : int(golden["frames"][0])]
    x = torch.from_numpy(np.concatenate([once] * (300 // once.shape[2] + 1), axis=2)[:, :, :300])
    logits, outputs = layer_outputs(network.double(), x.double())
    # Ours in double against a file made in float32: the difference is the file's rounding and the same on all
    # machines (7e-6 of 17 in the logits, up to 3.3e-6 in the layers).
    assert np.abs(logits[0] - golden["logits"][0]).max() < 1e-4
    assert f"A{logits.argmax() + 1:03d}" in str(golden["names"][0])
    for layer in network.layer_names:
        assert error(outputs[layer][0, ::8], golden[f"act/{layer}"]) < 1e-5, layer


def test_efficientgcn_takes_its_authors_weights(golden_folder: Path) -> None:
    weights = golden_folder.parent / "weights" / "efficientgcn_b0_ntu_xsub.state_dict.pt"
    if not weights.is_file():
        pytest.skip(f"{weights} is not there")
    network = load_network("efficientgcn-b0", layout="ntu-rgb+d", classes=60)
    graphs = {name: buffer.clone() for name, buffer in network.named_buffers() if name.endswith("conv.A")}
    published = torch.load(weights, weights_only=True)
    assert {k: v.shape for k, v in network.state_dict().items()} == {k: v.shape for k, v in published.items()}
    assert len(graphs) == 11
    for name, graph in graphs.items():
        # Entries of the graph are at most 1; each file rounds them to float32 once or twice.
        torch.testing.assert_close(graph, published[name], rtol=0, atol=2.0**-20)
    load_weights(network, weights)
    assert all(torch.equal(v, published[k]) for k, v in network.state_dict().items())
