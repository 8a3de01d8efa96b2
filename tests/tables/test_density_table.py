"""The table of smoothness on parts of the nodes, and that of a sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from stgcnlib import tables
from stgcnlib.sampling import NodeSample


def density(**changes: Any) -> pd.DataFrame:
    rows = []
    for rule in ("same K", "K in proportion"):
        for share, n, high in ((0.25, 500, 0.02), (1.0, 2000, 0.04)):
            for index, title, value in ((0, "input", 0.5), (3, "layer 3", 0.2)):
                row = {"layer": title, "index": index, "title": title, "rule": rule, "share": share, "n": n, "k": 40}
                rows.append(row | {"draws": 4, "smoothness": value + high, "low": value, "high": value + 2 * high,
                                   "floor": 0.1} | changes)  # fmt: skip
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def test_a_row_for_each_number_of_nodes_the_same_k_first() -> None:
    table = tables.density_table(density())
    assert list(table.index) == ["same K", "same K", "K in proportion", "K in proportion"]
    assert table["nodes"].tolist() == ["500", "2,000"] * 2
    first = table.iloc[0]
    assert first["S at the input"] == "0.520 (0.500 to 0.540)"
    assert first["S at layer 3"] == "0.220 (0.200 to 0.240)"
    assert first["fall"] == "0.300"
    assert first["floor at layer 3"] == "0.100"
    assert not [name for name in tables.density_table(density(floor=np.nan)) if "floor" in name]


def test_a_row_for_each_class_that_the_part_has() -> None:
    held, taken = np.array([40, 0, 8]), np.array([10, 0, 8])
    sample = NodeSample(np.arange(18), "test", ("wave", "sit", "kick"), held, taken, 10, True, ("class", "subject"))
    table = tables.sample_table(sample)
    assert table.index.tolist() == ["wave", "kick"]
    assert table.index.name == "class"
    assert table["share"].tolist() == ["25%", "100%"]
    assert table[["recordings", "nodes"]].to_numpy().tolist() == [[40, 10], [8, 8]]
