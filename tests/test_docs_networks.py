"""docs/networks.md is true: its code runs as it stands, and its table has the networks and options of the zoo."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stgcnlib.explain import grad_cam
from stgcnlib.networks import NETWORKS

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "networks.md").read_text(encoding="utf-8")
COMMON = {"skeleton", "classes", "channels", "width", "depth", "people", "dropout", "halvings"}


def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", TEXT, re.M | re.S)
    assert len(blocks) == TEXT.count("```python") == 3
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks:
        if named := re.match(r"# (\w+\.py)\n", block):
            (tmp_path / named[1]).write_text(block, encoding="utf-8")
        else:
            exec(block, names)
    sys.modules.pop("two_inputs", None)
    data, store, maps = names["data"], names["store"], names["maps"]
    assert [store[layer].temporal_stride for layer in store.layers] == [1, 1, 2]
    assert {store[layer].joints for layer in store.layers} == {25}
    assert list(maps) == ["network.stages.0", "network.stages.1"]
    assert all(map_.values.shape == data.people(0).shape[:3] for map_ in maps.values())
    signed = grad_cam(names["network"], data.people(0), signed=True)
    assert all(np.abs(map_.values).max() > 0 for map_ in signed.values())
    one, two = names["network"].state_dict(), names["again"].state_dict()
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_the_table_has_every_network_and_its_options() -> None:
    section = TEXT.partition("## The zoo")[2].partition("## Published")[0]
    cells = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| `")]
    rows = [(cell[0].strip(" `"), cell[3]) for cell in cells]
    assert sorted(name for name, _ in rows) == sorted(NETWORKS)
    for name, options in rows:
        own = set(inspect.signature(NETWORKS[name]).parameters) - COMMON
        assert set(re.findall(r"`(\w+)`", options)) == own, name
    without = {name for name, kind in NETWORKS.items() if "halvings" not in inspect.signature(kind).parameters}
    assert without == {"ms-g3d", "efficientgcn-b0"}
