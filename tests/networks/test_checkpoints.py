"""Checkpoints come back as they were, and files that are no checkpoints of this network are refused safely."""

from __future__ import annotations

import contextlib
import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from stgcnlib.errors import CheckpointError
from stgcnlib.networks import describe_checkpoint, load_network, read_checkpoint, save_checkpoint


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


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_common_wrappings_are_understood(tmp_path: Path, wrapper: str | None, prefix: str) -> None:
    saved = network()
    state = {prefix + key: value for key, value in saved.state_dict().items()}
    torch.save(state if wrapper is None else {wrapper: state, "epoch": 3}, tmp_path / "weights.pt")
    assert equal(load(tmp_path / "weights.pt"), saved)


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


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"classes": 5}, r"'fcn\.weight' has shape \(5, 8, 1, 1\).*needs \(3, 8, 1, 1\)"),
        ({"width": 8}, r"'st_gcn_networks\.0\.gcn\.conv\.weight' has shape \(24, 3, 1, 1\).*needs \(12, 3, 1, 1\)"),
        ({"depth": 3}, "does not know"),
        ({"depth": 1}, "lacks"),
        ({"strategy": "uniform"}, r"'A' has shape \(1, 20, 20\)"),
    ],
)
def test_another_networks_checkpoint_names_key_and_shapes(
    tmp_path: Path, other: dict[str, object], message: str
) -> None:
    save_checkpoint(network(**other), tmp_path / "other.pt")  # type: ignore[arg-type]
    target = network(seed=5)
    before = {key: value.clone() for key, value in target.state_dict().items()}
    with pytest.raises(CheckpointError, match=message):
        load(tmp_path / "other.pt")
    assert all(torch.equal(before[key], value) for key, value in target.state_dict().items())


def test_flipped_bytes_give_a_checkpoint_error_or_load(tmp_path: Path) -> None:
    file = tmp_path / "network.pt"
    torch.save({"w": torch.ones(2)}, file, _use_new_zipfile_serialization=False)
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


def test_a_checkpoint_says_whose_it_is(tmp_path: Path) -> None:
    save_checkpoint(network(classes=5), tmp_path / "net.pt")
    known = describe_checkpoint(tmp_path / "net.pt")
    assert (known["classes"], known["channels"], known["layout"]) == (5, 3, "kinect-v1")
    assert known["options"]["width"] == 4
    torch.save(network().state_dict(), tmp_path / "bare.pt")
    assert describe_checkpoint(tmp_path / "bare.pt") == {}
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        describe_checkpoint(tmp_path / "nothing.pt")
    with (tmp_path / "code.pt").open("wb") as stream:
        pickle.dump({"network": Attack(tmp_path / "trace")}, stream)
    with pytest.raises(CheckpointError):
        describe_checkpoint(tmp_path / "code.pt")
    assert not (tmp_path / "trace").exists()
