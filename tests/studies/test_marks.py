"""Kept results go by everything that decides them: shapes, dtypes, attributes of modules, given distances."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from planted import planted_recordings
from torch import nn

from stgcnlib.networks import load_network
from stgcnlib.skeleton import layout
from stgcnlib.studies import noise as module
from stgcnlib.studies import noise_study
from stgcnlib.studies.marks import array_fingerprint, network_fingerprint


class Own(nn.Module):
    """A network whose results depend on more than its weights."""

    def __init__(self, weight: torch.Tensor | None = None, **attributes: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 3) if weight is None else weight)
        self.register_buffer("graph", torch.eye(2), persistent=False)
        self.act = nn.ReLU()
        for name, value in attributes.items():
            setattr(self, name, value)


def changed_graph() -> Own:
    network = Own()
    network.graph[0, 1] = 1
    return network


def other_module() -> Own:
    network = Own()
    network.act = nn.Tanh()
    return network


@pytest.mark.parametrize(
    "other",
    [
        functools.partial(Own, torch.ones(3, 2)),
        functools.partial(Own, torch.ones(2, 3).double()),
        functools.partial(Own, torch.ones(2, 3).bfloat16()),
        functools.partial(Own, scale=2.0),
        functools.partial(Own, _kernels=(1, 3)),
        functools.partial(Own, table=np.arange(3)),
        functools.partial(Own, skeleton=layout("kinect-v1")),
        functools.partial(Own, act_by_name=torch.tanh),
        changed_graph,
        other_module,
    ],
)
def test_what_decides_a_networks_results_changes_its_hash(other: Callable[[], Own]) -> None:
    assert network_fingerprint(other()) != network_fingerprint(Own())
    assert network_fingerprint(other()) == network_fingerprint(other())


@pytest.mark.parametrize(
    ("name", "one", "two"),
    [
        ("scale", 1.0, 100.0),
        ("kernels", (1, 3), (1, 5)),
        ("table", np.zeros((2, 3)), np.zeros((3, 2))),
        ("skeleton", layout("kinect-v1"), layout("nw-ucla")),
        ("function", torch.relu, torch.tanh),
        ("settings", {"dropout": 0.1}, {"dropout": 0.2}),
    ],
)
def test_attributes_with_other_values(name: str, one: Any, two: Any) -> None:
    assert network_fingerprint(Own(**{name: one})) != network_fingerprint(Own(**{name: two}))


def test_passing_and_modes_change_no_hash() -> None:
    network = load_network("st-gcn", layout="kinect-v1", classes=2, width=4, depth=2, seed=0)
    before = network_fingerprint(network)
    network(torch.zeros(1, 3, 8, 20, 1))
    assert network_fingerprint(network.train().requires_grad_(False)) == before
    assert network_fingerprint(network.bfloat16()) != before


def test_shape_and_dtype_are_part_of_an_arrays_hash() -> None:
    zeros = [np.zeros((2, 3)), np.zeros((3, 2)), np.zeros((2, 6), np.float32), torch.zeros(2, 3), torch.tensor(0.0)]
    assert len({array_fingerprint(each) for each in zeros}) == len(zeros)
    assert array_fingerprint(np.zeros((2, 3)).tolist()) == array_fingerprint(zeros[0])
    assert array_fingerprint(np.zeros((3, 2), order="F")) == array_fingerprint(zeros[1])


def test_given_distances_belong_to_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = planted_recordings(12, 2)
    keys: list[Path | None] = []

    def computed(_function: Any, _work: Any, tasks: Any, kept: Any, **_: Any) -> Any:
        keys.append(kept.path(tasks[0]))
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "compute_all", computed)
    matrix = np.ones((12, 12)) - np.eye(12)
    for given in (None, {"input": matrix}, {"input": 2 * matrix}, {"blocks.1": matrix}, {"input": matrix.copy()}):
        with pytest.raises(KeyboardInterrupt):
            noise_study(Own(), data, distances=given, k=2, folder=tmp_path)
    assert len(set(keys[:4])) == 4
    assert keys[4] == keys[1]


def cyclic() -> Own:
    network = Own(parts=[1])
    network.parts.append(network.parts)
    return network


@pytest.mark.parametrize(
    "made",
    [
        functools.partial(Own, graph_by_joints=torch.eye(2).to_sparse()),
        functools.partial(Own, turned=torch.ones(2, dtype=torch.complex64).conj()),
        functools.partial(Own, names=np.array(["a", None], dtype=object)),
        functools.partial(Own, kinds={"a", "b", 1}),
        cyclic,
    ],
    ids=["sparse", "conjugate", "objects", "set", "cycle"],
)
def test_attributes_of_any_form_are_hashed(made: Callable[[], Own]) -> None:
    assert network_fingerprint(made()) == network_fingerprint(made())
    assert network_fingerprint(made()) != network_fingerprint(Own())


def test_what_a_pass_leaves_behind_does_not_count() -> None:
    network = Own()
    before = network_fingerprint(network)
    network.last = (network.weight * 2).sum()
    assert network_fingerprint(network) == before


def test_addresses_of_objects_do_not_count() -> None:
    first, second = (np.array([str(n) * 40 for n in range(3)], dtype=object) for _ in range(2))
    assert array_fingerprint(first) == array_fingerprint(second)
    assert array_fingerprint(first) != array_fingerprint(first[::-1])
