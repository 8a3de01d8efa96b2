"""How exact neighbours grow: with sequences N, frames T and features D, each swept alone, and the exponents fitted.

    python benchmarks/dtw_growth.py UTD_MHAD [NW_UCLA] [--layer 7] [--width 64]

Sequences are activations of one layer of an untrained ST-GCN of published width; T is changed by repeating or leaving
out frames evenly, D by taking the first features. Seconds are CPU seconds over threads. The table goes to README.md.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib import load_network, read, record, transforms
from stgcnlib.dtw import dtw_neighbors
from stgcnlib.dtw.frames import threads

Array = NDArray[Any]

NEIGHBORS = 50
SEQUENCES = (200, 400, 861)
SHARES = (0.25, 0.5, 1.0, 2.0)  # of the frames that there are
FEATURES = (320, 640, 1280, 2560)
SWEPT = 400  # sequences while T or D is swept
MARKS = ("<!-- dtw_growth -->", "<!-- /dtw_growth -->")


def layer_sequences(data: Path, layer: int, width: int) -> list[Array]:
    """Activations (T, D) of one layer, one array per recording."""
    recordings = transforms.normalize(read(data))
    network = load_network(
        "st-gcn", layout=recordings.layout, classes=len(recordings.class_names), seed=0, width=width
    )
    store = record(network, recordings, layers=[network.layer_names[layer - 1]])
    activations = store[network.layer_names[layer - 1]]
    return [np.asarray(activations.sequence(i)) for i in range(len(activations))]


def measured(sweep: str, value: float, sequences: list[Array]) -> dict[str, Any]:
    """Time and share of one search."""
    begin = time.process_time()
    table = dtw_neighbors(sequences, NEIGHBORS, reading="frames", normalize=None)
    seconds = (time.process_time() - begin) / threads()
    row = {
        "sweep": sweep, "value": value, "N": len(sequences), "T": float(np.mean([len(x) for x in sequences])),
        "D": int(sequences[0].shape[1]), "seconds": seconds, "share": table.statistics["share"],
        "method": table.statistics["method"],
    }  # fmt: skip
    print(row, flush=True)
    return row


def stretched(sequence: Array, share: float) -> Array:
    frames = max(1, round(len(sequence) * share))
    return sequence[np.linspace(0, len(sequence) - 1, frames).round().astype(int)]


def growth(rows: list[dict[str, Any]], sweep: str, quantity: str) -> float:
    """Exponent of seconds against a quantity, by least squares on logarithms."""
    some = [row for row in rows if row["sweep"] == sweep]
    return float(np.polyfit(np.log([row[quantity] for row in some]), np.log([row["seconds"] for row in some]), 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="folders of recordings; all of the last one are measured too")
    parser.add_argument("--layer", type=int, default=7)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "dtw_growth.json")
    arguments = parser.parse_args()
    sequences = layer_sequences(arguments.data[0], arguments.layer, arguments.width)
    order = np.random.default_rng(0).permutation(len(sequences))
    mixed = [sequences[i] for i in order]
    dtw_neighbors(mixed[:80], 2, reading="frames", normalize=None)  # compile
    rows = [measured("N", n, mixed[:n]) for n in SEQUENCES if n <= len(mixed)]
    rows += [measured("T", share, [stretched(x, share) for x in mixed[:SWEPT]]) for share in SHARES]
    width = mixed[0].shape[1]
    rows += [measured("D", d, [np.ascontiguousarray(x[:, :d]) for x in mixed[:SWEPT]]) for d in FEATURES if d <= width]
    exponents = {quantity: growth(rows, quantity, quantity) for quantity in ("N", "T", "D")}
    for other in arguments.data[1:]:
        rows.append(measured(other.name, 0, layer_sequences(other, arguments.layer, arguments.width)))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"rows": rows, "exponents": exponents, "threads": threads()}, indent=1) + "\n")
    lines = ["| swept | N | T | D | seconds | share of pairs | method |", "|---|---|---|---|---|---|---|"]
    lines += [
        f"| {row['sweep']} | {row['N']} | {row['T']:.0f} | {row['D']} | {row['seconds']:.2f} | {row['share']:.1%} | "
        f"{row['method']} |"
        for row in rows
    ]
    lines += ["", "Seconds grow as " + ", ".join(f"{name}^{value:.2f}" for name, value in exponents.items()) + "."]
    readme = Path(__file__).parent / "README.md"
    before, rest = readme.read_text().split(MARKS[0])
    readme.write_text(before + MARKS[0] + "\n" + "\n".join(lines) + "\n" + MARKS[1] + rest.split(MARKS[1])[1])


if __name__ == "__main__":
    main()
