"""Receptive fields and topologies of a study: kept and read again, and of networks that know one length only."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from small_study import SMALL
from torch import Tensor, nn

from stgcnlib.explain import learned_topologies, receptive_fields
from stgcnlib.pipeline.line.maps import measure_fields, read_topologies
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.study import Study
from stgcnlib.sequences import SequenceSet


def test_what_is_kept_is_what_was_measured(tmp_path: Path) -> None:
    fields_ = {"network": SMALL["network"] | {"training": {"epochs": 1}}, "layers": ["st_gcn_networks.1"]}
    study = Study.load(SMALL | fields_)
    run = StudyRun(study, tmp_path)
    network, nodes = run["network/trained"], run["nodes"]
    chosen = list(study.layers or ())
    measured = {
        "fields": receptive_fields(network, nodes, layers=chosen),
        "topologies": learned_topologies(network, nodes.select(run["explained"]), layers=chosen),
    }
    for name, expected in measured.items():
        run[name]
        kept = StudyRun(study, tmp_path)[name]
        assert list(kept) == list(expected) == ["st_gcn_networks.1"]
        for layer in expected:
            for field in fields(expected[layer]):
                one, other = getattr(kept[layer], field.name), getattr(expected[layer], field.name)
                assert type(one) is type(other)
                np.testing.assert_array_equal(one, other)


class OneLength(nn.Module):
    """Takes 12 frames and nothing else."""

    layer_names = ("mix",)

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, 4, (3, 1), padding=(1, 0))
        self.head = nn.Linear(4 * 12 * 25, 2)

    def forward(self, x: Tensor) -> Tensor:
        N, C, T, V, M = x.shape
        features = self.mix(x.permute(0, 4, 1, 2, 3).reshape(N * M, C, T, V))
        return self.head(features.flatten(1)).view(N, M, 2).mean(dim=1)


def test_a_network_of_ones_own_sees_lengths_that_it_knows() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    nodes = SequenceSet(list(rng.normal(size=(3, 12, 25, 3))), layout="ntu-rgb+d")
    study = Study.load({"network": {"name": "package.module:OneLength", "checkpoint": None}})
    layers = [{"name": "input", "index": 0}, {"name": "mix", "index": 1}]
    network = OneLength()
    found = measure_fields(network, nodes, layers, study)  # type: ignore[arg-type]
    assert (found["mix"].frames, found["mix"].tried) == (3, 12)
    assert read_topologies(network, nodes, np.array([0, 2]), layers, study) == {}  # type: ignore[arg-type]
