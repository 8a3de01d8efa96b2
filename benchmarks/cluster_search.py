"""Exact neighbours of one layer in one process of one thread, and by two workers of a Dask scheduler with one each.

    python benchmarks/cluster_search.py [--sequences 3000] [--workers 2] [--scratch FOLDER]

The sequences are those of scale.py, in a store on disk, larger than what a search holds in memory (1 GiB), so that its
distances are tasks too. Both have found neighbours of a few sequences before: kernels are compiled, and the workers'
processes have started, which is timed by itself. Prints seconds of both, in all and by phase, their ratio, and whether
the tables are the same byte for byte.
Results go to benchmarks/results/cluster_search.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from scale import CLASSES, FEATURES, LATENT, NEIGHBORS, SUBJECTS, made

from stgcnlib.activations import LayerStore
from stgcnlib.activations.store import FORMAT, VERSION, write_layer
from stgcnlib.artefacts import Tasks
from stgcnlib.dtw import NeighborTable, dtw_neighbors
from stgcnlib.dtw.source import RESIDENT_BYTES
from stgcnlib.pipeline.cluster import Cluster
from stgcnlib.threads import limit_threads

PHASES = "seconds_projection", "seconds_limits", "seconds_bounds", "seconds_refinement"


def stored(count: int, folder: Path) -> Any:
    """A layer of so many sequences in a store."""
    basis = np.random.default_rng(0).normal(size=(LATENT, FEATURES)).astype(np.float32) / np.float32(np.sqrt(LATENT))
    sequences = [made(i, basis) for i in range(count)]
    lengths = np.array([len(each) for each in sequences])
    rows = np.empty((int(lengths.sum()), FEATURES), dtype=np.float32)
    starts = np.cumsum(lengths) - lengths
    for start, each in zip(starts, sequences, strict=True):
        rows[start : start + len(each)] = each
    root = zarr.create_group(str(folder))
    write_layer(root, "layer00", rows, starts, lengths)
    entry = {"name": "made", "index": 0, "title": "made", "joints": 1, "temporal_stride": 1, "array": "layer00"}
    root.attrs.update(format=FORMAT, version=VERSION, layers=[{**entry, "lengths": lengths.tolist()}])
    return LayerStore.open(folder)["made"]


def timed(layer: Any, subjects: NDArray[np.int64], **where: Any) -> tuple[float, NeighborTable]:
    """Seconds, and the neighbours."""
    begin = time.perf_counter()
    table = dtw_neighbors(layer, NEIGHBORS, exclude=subjects, progress=False, **where)
    return time.perf_counter() - begin, table


def few_of(layer: Any, subjects: NDArray[np.int64]) -> tuple[list[NDArray[np.float32]], NDArray[np.int64]]:
    """A few sequences and their subjects: enough to compile every kernel."""
    count = 3 * NEIGHBORS
    return [layer.sequence(i) for i in range(count)], subjects[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scratch", type=Path, help="folder for the store, 0.5 MB a sequence; default: temporary")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "cluster_search.json")
    arguments = parser.parse_args()
    from distributed import LocalCluster

    limit_threads(1)  # a worker's processes have one by themselves

    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        layer = stored(arguments.sequences, Path(folder) / "layer.zarr")
        size = layer.features.shape[0] * FEATURES * 4
        if size <= RESIDENT_BYTES:
            raise SystemExit(f"{size / 2**30:.2f} GiB of features are held in memory; give more --sequences")
        subjects = np.arange(arguments.sequences) // CLASSES % SUBJECTS
        few = few_of(layer, subjects)
        timed(*few)  # compiles, or reads that
        alone, expected = timed(layer, subjects)
        print(f"one process: {alone:.1f} s", flush=True)
        with LocalCluster(
            n_workers=arguments.workers, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        ) as cluster:
            address, shared = str(cluster.scheduler_address), Path(folder) / "tasks"
            shared.mkdir()
            with Tasks(shared, lambda: Cluster(address, shared)) as tasks:
                begin = time.perf_counter()
                timed(*few, executor=tasks)
                started = time.perf_counter() - begin
                together, found = timed(layer, subjects, executor=tasks)
        print(f"{arguments.workers} workers: {together:.1f} s", flush=True)
        same = found.indices.tobytes() == expected.indices.tobytes()
        same = same and found.distances.tobytes() == expected.distances.tobytes()
    row = {
        "sequences": arguments.sequences, "bytes": int(size), "workers": arguments.workers, "seconds_alone": alone,
        "seconds_workers": together, "ratio": alone / together, "seconds_start": started,
        "ratio_with_start": alone / (together + started), "same_bytes": same,
        "phases": {name: [expected.statistics[name], found.statistics[name]] for name in PHASES},
    }  # fmt: skip
    print(json.dumps(row, indent=1))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(row, indent=1) + "\n")


if __name__ == "__main__":
    main()
