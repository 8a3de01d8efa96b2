"""Checkpoints come back as they were, and files that are no checkpoints of this network are refused safely."""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stgcnlib.errors import CheckpointError
from stgcnlib.networks import load_network, load_weights, read_checkpoint, save_checkpoint
from stgcnlib.skeleton import graph_layout


def network(classes: int = 3, seed: int = 0, **options: object) -> nn.Module:
    return load_network("st-gcn", layout="kinect-v1", classes=classes, seed=seed, **{"width": 4, "depth": 2, **options})


def load(path: Path, **options: object) -> nn.Module:
    return load_network(
        "st-gcn", layout="kinect-v1", checkpoint=path, **{"classes": 3, "width": 4, "depth": 2, **options}
    )


class Attack:
    """Runs a command when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


def equal(one: nn.Module, two: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_round_trip(tmp_path: Path) -> None:
    saved = network()
    save_checkpoint(saved, tmp_path / "network.pt", accuracy=0.9)
    assert equal(load(tmp_path / "network.pt"), saved)
    assert not equal(network(seed=1), saved)
    content = torch.load(tmp_path / "network.pt", weights_only=True)
    assert content["extra"] == {"accuracy": 0.9}
    assert content["network"]["options"]["width"] == 4
    assert [p.name for p in tmp_path.iterdir()] == ["network.pt"]


@pytest.mark.parametrize("wrapper", [(), ("state_dict",), ("model",), ("net",), ("network",), ("model", "state_dict")])
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model.", "_orig_mod."])
def test_common_wrappings_are_understood(tmp_path: Path, wrapper: tuple[str, ...], prefix: str) -> None:
    saved = network()
    content: Any = {prefix + key: value for key, value in saved.state_dict().items()}
    for name in reversed(wrapper):
        content = {"epoch": 3, name: content}
    torch.save(content, tmp_path / "weights.pt")
    assert equal(load(tmp_path / "weights.pt"), saved)
    assert list(read_checkpoint(tmp_path / "weights.pt")) == list(saved.state_dict())


@pytest.mark.parametrize("wrapper", [None, "model_state_dict"])
def test_lists_of_pairs_are_understood(tmp_path: Path, wrapper: str | None) -> None:
    saved = network()
    pairs = list(saved.state_dict().items())
    torch.save(pairs if wrapper is None else {wrapper: pairs}, tmp_path / "weights.pt")
    assert equal(load(tmp_path / "weights.pt"), saved)


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.bin"])
def test_safetensors_by_name_or_content(tmp_path: Path, name: str) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    saved = network()
    safetensors.save_file(saved.state_dict(), tmp_path / name)
    assert equal(load(tmp_path / name), saved)
    content = (tmp_path / name).read_bytes()
    for share in (0.001, 0.1, 0.9, 0.999):
        (tmp_path / name).write_bytes(content[: int(share * len(content))])
        with pytest.raises(CheckpointError, match=name):
            load(tmp_path / name)


def test_a_part_of_ones_own_may_be_called_model(tmp_path: Path) -> None:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = network()

    first, second = Wrapped(), Wrapped()
    torch.save(first.state_dict(), tmp_path / "weights.pt")
    load_weights(second, tmp_path / "weights.pt")
    assert equal(second, first)


def test_layouts_of_ones_own_travel_with_the_checkpoint(tmp_path: Path) -> None:
    roads = graph_layout("roads", [(0, 1), (1, 2)], positions=[(0, 0), (1, 0), (1, 1)])
    saved = load_network("st-gcn", layout=roads, classes=2, channels=1, width=4, depth=1, strategy="uniform")
    save_checkpoint(saved, tmp_path / "roads.pt")
    again = load_network("auto", checkpoint=tmp_path / "roads.pt")
    assert again.layout == roads
    assert equal(again, saved)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_pickle_is_refused_and_never_run(tmp_path: Path, legacy: bool) -> None:
    file, trace = tmp_path / "evil.pt", tmp_path / "trace"
    if legacy:
        file.write_bytes(pickle.dumps({"state_dict": Attack(trace)}))
    else:
        torch.save({"state_dict": network().state_dict(), "extra": Attack(trace)}, file)
    with pytest.raises(CheckpointError, match=r"evil\.pt.*refused"):
        load(file)
    assert not trace.exists()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_truncated_files_are_refused(tmp_path: Path, share: float) -> None:
    file = tmp_path / "cut.pt"
    save_checkpoint(network(), file)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=r"cut\.pt"):
        load(file)


@pytest.mark.parametrize("junk", [b"not a checkpoint", b"PK\x03\x04" + bytes(100), pickle.dumps([1, 2]), b"\x80\x02}."])
def test_other_files_are_refused(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "junk.pt").write_bytes(junk)
    with pytest.raises(CheckpointError, match=r"junk\.pt"):
        read_checkpoint(tmp_path / "junk.pt")
    with pytest.raises(CheckpointError, match="no such"):
        read_checkpoint(tmp_path / "absent.pt")


def test_a_refused_file_says_how_to_convert_it_and_that_works(tmp_path: Path) -> None:
    saved, file = network(), tmp_path / "old.pt"
    torch.save({"state_dict": saved.state_dict(), "args": argparse.Namespace(epochs=3)}, file)
    with pytest.raises(CheckpointError, match=r"old\.pt: refused.*argparse\.Namespace") as refused:
        load(file)
    lines = [line for line in str(refused.value).splitlines() if line.startswith("    ")]
    assert len(lines) == 2
    script = "\n".join(line.strip() for line in lines).replace("'old.pt'", "source").replace("'weights.pt'", "target")
    exec(script, {"torch": torch, "source": file, "target": tmp_path / "weights.pt"})
    assert equal(load(tmp_path / "weights.pt"), saved)


@pytest.mark.parametrize("size", [0, 1, 9, 300, 5000])
def test_random_bytes_are_refused(tmp_path: Path, size: int) -> None:
    for seed in range(5):
        (tmp_path / "noise.pt").write_bytes(np.random.default_rng(seed).bytes(size))
        with pytest.raises(CheckpointError, match=r"noise\.pt"):
            read_checkpoint(tmp_path / "noise.pt")


def test_weights_of_another_shape_name_key_and_shapes(tmp_path: Path) -> None:
    target = network(seed=5)
    before = {key: value.clone() for key, value in target.state_dict().items()}
    save_checkpoint(network(classes=5), tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"'fcn\.weight' has shape \(5, 8, 1, 1\).*needs \(3, 8, 1, 1\)"):
        load_weights(target, tmp_path / "other.pt")
    for depth, message in ((3, "does not know"), (1, "lacks")):
        save_checkpoint(network(depth=depth), tmp_path / "other.pt")
        with pytest.raises(CheckpointError, match=message):
            load_weights(target, tmp_path / "other.pt")
    assert all(torch.equal(before[key], value) for key, value in target.state_dict().items())


def test_shapes_beyond_the_file_take_no_memory(tmp_path: Path) -> None:
    state = network().state_dict()
    torch.save({**state, "fcn.weight": torch.ones(1).expand(10**12, 8, 1, 1)}, tmp_path / "views.pt")
    with pytest.raises(CheckpointError, match=r"views\.pt: 'fcn\.weight' has shape .*more numbers than the file holds"):
        load_network("auto", checkpoint=tmp_path / "views.pt")
    state |= {f"st_gcn_networks.{block}.tcn.0.weight": torch.ones(100_000 * (block + 1)) for block in (0, 1)}
    torch.save(state, tmp_path / "wide.pt")
    with pytest.raises(CheckpointError, match=r"wide\.pt: its shapes do not belong together.*parameters, the file"):
        load_network("auto", checkpoint=tmp_path / "wide.pt")
    torch.save({"weight": torch.eye(3).to_sparse()}, tmp_path / "sparse.pt")
    with pytest.raises(CheckpointError, match=r"sparse\.pt: holds no state dict"):
        read_checkpoint(tmp_path / "sparse.pt")


def test_what_a_network_keeps_besides_weights_never_spoils_its_checkpoint(tmp_path: Path) -> None:
    one = nn.Linear(2, 2)
    one.layout, one.classes, one.channels = "my own thing", Path("x"), 3  # type: ignore[assignment]
    one.options = {"act": nn.ReLU()}  # type: ignore[assignment]
    save_checkpoint(one, tmp_path / "own.pt")
    other = nn.Linear(2, 2)
    load_weights(other, tmp_path / "own.pt")
    assert equal(one, other)
    assert torch.load(tmp_path / "own.pt", weights_only=True)["network"] == {
        "class": "Linear", "channels": 3, "layout": None,
    }  # fmt: skip


@pytest.mark.parametrize("zipped", [False, True])
def test_flipped_bytes_give_a_checkpoint_error_or_load(tmp_path: Path, zipped: bool) -> None:
    file = tmp_path / "network.pt"
    torch.save({"w": torch.ones(2)}, file, _use_new_zipfile_serialization=zipped)
    content = file.read_bytes()
    for place in range(0, len(content), 3):
        file.write_bytes(content[:place] + bytes([content[place] ^ 0x15]) + content[place + 1 :])
        with contextlib.suppress(CheckpointError):
            read_checkpoint(file)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "network.pt"
    save_checkpoint(network(), file)
    before = file.read_bytes()
    with pytest.raises((AttributeError, pickle.PicklingError)):
        save_checkpoint(network(), file, helper=lambda: None)
    assert file.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["network.pt"]
