"""DTW and DS-Graphs of a LayerStore against the CPU libraries that can do the same, in one run.

One reading for all: frames, no band, nothing divided by. Peers compute a random sample, scaled to all pairs. Who has an
all-pairs function on threads (aeon) uses it, on as many as ours may; the others compute pairs on one thread, and are
credited with perfect scaling. aeon gets frames whose features lie together, with which it is about ten times as fast as
with the arrays its documentation asks for.

    python benchmarks/dtw_peers.py DATA [--layers 1,4,7,10] [--quick] [--width 64]

DATA is a folder of recordings, whose activations in an ST-GCN of published width (random weights, seed 0) are recorded
first, and timed; or a LayerStore that was recorded before. Everything goes to benchmarks/results/ and README.md.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from stgcnlib.activations import LayerStore
from stgcnlib.dsgraph import ds_graph
from stgcnlib.dtw import NeighborTable, dtw_distances, dtw_neighbors, dtw_path
from stgcnlib.dtw.along import frame_square
from stgcnlib.dtw.frames import on_threads, scratch, threads

Array = NDArray[Any]
Distance = Callable[[Array, Array], float]

NEIGHBORS = 50
PEER_SECONDS = 3.0  # per peer and layer
WARM_PAIRS = 2  # compile
CHECKED_PAIRS = 3
CHECKED_NODES = 3
ALL_PAIRS_QUICK = 160  # sequences of which all pairs are measured, and scaled, with --quick
GEMM_SIZE = 3072
READING: dict[str, Any] = {"reading": "frames", "normalize": None}
MARKS = ("<!-- dtw_peers -->", "<!-- /dtw_peers -->")


@dataclass
class Timing:
    """Wall seconds, and CPU seconds of the process over the threads it may use: near each other if all are busy."""

    wall: float
    cpu: float


@dataclass
class LayerResult:
    layer: str
    sequences: int
    frames: float
    features: int
    pairs: int
    peers: dict[str, float] = field(default_factory=dict)  # seconds for all pairs
    all_pairs: Timing | None = None
    product_share: float = 0.0  # operations of all local costs per second of all_pairs.wall, over the peak
    neighbors: Timing | None = None
    neighbor_statistics: dict[str, Any] = field(default_factory=dict)
    graph: Timing | None = None
    kkt_residual: float = 0.0
    error: float = 0.0  # largest relative error of a distance, against loops in float64
    wrong_neighbors: int = 0  # of CHECKED_NODES nodes, against all their distances in float64


@dataclass(frozen=True)
class Peer:
    """One library: DTW of two sequences, its value as a sum of squared distances, and all pairs if it uses threads."""

    distance: Distance
    convert: Callable[[float], float]
    all_pairs: Callable[[list[Array]], Any] | None = None


def peers() -> dict[str, Peer]:
    """Multivariate DTW of each library that is installed."""
    found: dict[str, Peer] = {}
    if (module := _optional("tslearn.metrics")) is not None:
        found["tslearn"] = Peer(module.dtw, lambda d: d**2)
    if (module := _optional("aeon.distances")) is not None:
        aeon, pairwise = module.dtw_distance, module.dtw_pairwise_distance
        found["aeon"] = Peer(
            lambda x, y: float(aeon(x.T, y.T)),
            lambda d: d,
            lambda some: pairwise([x.T for x in some], n_jobs=threads()),
        )
    if (module := _optional("dtaidistance.dtw_ndim")) is not None:
        found["dtaidistance"] = Peer(module.distance_fast, lambda d: d**2)
    if (module := _optional("dtw")) is not None:
        dtw = module.dtw
        found["dtw-python"] = Peer(
            lambda x, y: float(dtw(cdist(x, y, "sqeuclidean"), step_pattern="symmetric1", distance_only=True).distance),
            lambda d: d,
        )
    return found


def time_peer(peer: Peer, series: list[Array], rng: np.random.Generator, budget: float) -> float:
    """Seconds per pair, on all threads."""
    if peer.all_pairs is not None:
        peer.all_pairs(series[:WARM_PAIRS])
        count, spent = 10, 0.0
        while spent < budget / 4 and count < len(series):  # twice as many take four times as long
            count = min(2 * count, len(series))
            some = [series[i] for i in rng.choice(len(series), count, replace=False)]
            begin = time.perf_counter()
            peer.all_pairs(some)
            spent = time.perf_counter() - begin
        return spent / (count * (count - 1) / 2)
    pairs = [rng.choice(len(series), 2, replace=False) for _ in range(2000)]
    for i, j in pairs[:WARM_PAIRS]:
        peer.distance(series[i], series[j])
    begin, done = time.perf_counter(), 0
    for i, j in pairs:
        peer.distance(series[i], series[j])
        done += 1
        if time.perf_counter() - begin > budget:
            break
    return (time.perf_counter() - begin) / done / threads()


def check_peer(peer: Peer, series: list[Array], rng: np.random.Generator) -> None:
    """Refuse to time a library that computes something else."""
    for _ in range(CHECKED_PAIRS):
        i, j = rng.choice(len(series), 2, replace=False)
        ours = float(dtw_distances([series[i]], [series[j]], metric="sqeuclidean", **READING)[0, 0])
        theirs = peer.convert(peer.distance(series[i], series[j]))
        if abs(ours - theirs) > 1e-4 * abs(ours):
            raise RuntimeError(f"a peer disagrees on pair ({i}, {j}): {theirs} against {ours}")


def timed(work: Callable[[], Any]) -> tuple[Any, Timing]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, Timing(time.perf_counter() - wall, (time.process_time() - cpu) / threads())


def gemm_peak() -> float:
    """GFLOP/s of float32 products on all threads, best of five."""
    x, y = np.random.default_rng(0).random((2, GEMM_SIZE, GEMM_SIZE), dtype=np.float32)
    best = min(timed(lambda: x @ y)[1].wall for _ in range(5))
    return 2 * GEMM_SIZE**3 / best / 1e9


@njit(nogil=True)
def _all_squares(times: int, x: Array, y: Array) -> float:
    total = 0.0
    for _ in range(times):
        for a in range(x.shape[0]):
            for b in range(y.shape[0]):
                total += frame_square(x[a], y[b], x)
    return total


def tile_rates() -> tuple[float, float]:
    """GFLOP/s on all threads of the two loops that costs are made of: products of short frames, and differences.

    A difference and its square count as two operations, as a multiplication and an addition do in a product.
    """
    rng = np.random.default_rng(0)
    short = [rng.random((frames, 129), dtype=np.float32) for frames in (512, 4096)]
    x, y = (scratch((68, 1296), np.float32) for _ in range(2))
    x[:], y[:] = rng.random(x.shape), rng.random(y.shape)

    def rate(work: Callable[[Any], Any], operations: float) -> float:
        on_threads(work, range(8))
        return max(200 * operations / timed(lambda: on_threads(work, range(200)))[1].wall for _ in range(3)) / 1e9

    products = rate(lambda _: short[0] @ short[1].T, 2 * 512 * 4096 * 129)
    differences = rate(lambda _: _all_squares(20, x, y), 20 * 2 * 68 * 68 * 1296)
    return products, differences


def measure_layer(activations: Any, *, quick: bool, peak: float, seed: int = 0) -> LayerResult:
    """One layer: peers, all pairs, exact neighbours, whole graph."""
    count = len(activations)
    series = [np.asarray(activations.sequence(i)) for i in range(count)]
    total = count * (count - 1) // 2
    lengths = np.array([len(x) for x in series])
    features = int(series[0].shape[1])
    result = LayerResult(activations.title, count, float(lengths.mean()), features, total)
    rng = np.random.default_rng(seed)
    wide = [np.ascontiguousarray(x, dtype=np.float64) for x in series]  # what every peer would convert to
    for name, peer in peers().items():
        check_peer(peer, wide, rng)
        result.peers[name] = time_peer(peer, wide, rng, PEER_SECONDS / (3 if quick else 1)) * total
    del wide
    dtw_neighbors(series[:70], 2, **READING)  # compile

    some = np.sort(rng.choice(count, min(count, ALL_PAIRS_QUICK), replace=False)) if quick else np.arange(count)
    part = [series[i] for i in some]
    _, timing = timed(lambda: dtw_distances(part, **READING))
    scale = total / (len(part) * (len(part) - 1) / 2)
    result.all_pairs = Timing(timing.wall * scale, timing.cpu * scale)
    cells = (float(lengths[some].sum()) ** 2 - float((lengths[some] ** 2).sum())) / 2
    result.product_share = 2 * cells * features / 1e9 / timing.wall / peak

    table, result.neighbors = timed(lambda: dtw_neighbors(series, NEIGHBORS, **READING))
    result.neighbor_statistics = table.statistics
    graph, result.graph = timed(lambda: ds_graph(series, k=NEIGHBORS, **READING))
    result.kkt_residual = float(graph.kkt_residual.max())
    result.error, result.wrong_neighbors = check_exactness(series, table, rng)
    return result


def check_exactness(series: list[Array], table: NeighborTable, rng: np.random.Generator) -> tuple[float, int]:
    """Largest relative error and wrong neighbours of a few nodes, by `dtw_path`: other code, float64, no bounds."""
    error, wrong = 0.0, 0
    for i in rng.choice(len(series), CHECKED_NODES, replace=False):
        exact = np.array([np.inf if j == i else dtw_path(series[i], y, **READING)[1] for j, y in enumerate(series)])
        nearest = np.argsort(exact, kind="stable")[:NEIGHBORS]
        wrong += int((nearest != table.indices[i]).sum())
        error = max(error, float(np.abs(table.distances[i] / exact[table.indices[i]] - 1).max()))
    return error, wrong


def measure(store: LayerStore, layers: list[int], *, quick: bool) -> dict[str, Any]:
    """Everything, as plain values for JSON."""
    peak = gemm_peak()
    products, differences = tile_rates()
    rows = []
    for index in layers:
        rows.append(asdict(measure_layer(store[store.layers[index]], quick=quick, peak=peak)))
        print(_row(rows[-1]), flush=True)
    return {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": threads(),
            "gemm_gflops": peak,
            "short_product_gflops": products,
            "difference_gflops": differences,
        },
        "versions": {name: _version(name) for name in ("numpy", "numba", "stgcnlib", *peers())},
        "quick": quick,
        "reading": "frames, no band, no normalisation; Euclidean local cost (peers: squared, as they define it)",
        "layers": rows,
    }


def record_layers(data: Path, folder: Path, *, width: int) -> tuple[LayerStore, Timing]:
    """All activations of an untrained ST-GCN over recordings, and how long that took."""
    from stgcnlib import load_network, read, record, transforms

    sequences = transforms.normalize(read(data))
    network = load_network(
        "st-gcn", layout=sequences.layout, classes=len(sequences.class_names), channels=sequences.channels,
        seed=0, width=width,
    )  # fmt: skip
    return timed(lambda: record(network, sequences, store=folder))


def table(results: dict[str, Any]) -> str:
    """Markdown."""
    machine, peak = results["machine"], results["machine"]["gemm_gflops"]
    names = list(results["layers"][0]["peers"])
    lines = [
        f"{machine['threads']} threads, product peak {peak:.0f} GFLOP/s; products of short frames reach "
        f"{machine['short_product_gflops'] / peak:.0%} of it, differences of whole frames "
        f"{machine['difference_gflops'] / peak:.0%}. Seconds; of ours in brackets CPU seconds over threads.",
        "",
        "| layer | T | D | " + " | ".join(names) + " | all pairs | of peak | 50 nearest | share | DS-Graph | "
        "all pairs vs peer | 50 nearest vs peer | DS-Graph vs peer |",
        "|" + "---|" * (len(names) + 11),
    ]
    lines += [_row(row) for row in results["layers"]]
    fastest = sum(min(row["peers"].values()) for row in results["layers"])
    ratios = [f"{fastest / sum(row[what]['wall'] for row in results['layers']):.1f}x" for what in _OURS]
    lines.append("| together |" + " |" * (len(names) + 7) + " " + " | ".join(ratios) + " |")
    rows = results["layers"]
    lines += [
        "",
        f"Against float64 loops ({CHECKED_NODES} nodes a layer, all their distances): "
        f"{sum(row['wrong_neighbors'] for row in rows)} wrong neighbours, largest relative error "
        f"{max(row['error'] for row in rows):.1e}. "
        f"Largest KKT residual {max(row['kkt_residual'] for row in rows):.1e}.",
    ]
    if results.get("recording"):
        spent, graphs = results["recording"]["wall"], sum(row["graph"]["wall"] for row in rows)
        lines.append(
            f"Recording all layers took {spent:.1f} s; the DS-Graphs of these {len(rows)} layers {graphs:.1f} s, "
            f"{graphs / spent:.1f} times that."
        )
    return "\n".join(lines)


_OURS = ("all_pairs", "neighbors", "graph")


def _row(row: dict[str, Any]) -> str:
    fastest = min(row["peers"].values())
    ours = {what: row[what] for what in _OURS}
    spent = {what: f"{ours[what]['wall']:.1f} ({ours[what]['cpu']:.1f})" for what in _OURS}
    cells = [
        row["layer"],
        f"{row['frames']:.0f}",
        str(row["features"]),
        *(f"{seconds:.0f}" for seconds in row["peers"].values()),
        spent["all_pairs"],
        f"{row['product_share']:.0%}",
        spent["neighbors"],
        f"{row['neighbor_statistics']['share']:.1%}",
        spent["graph"],
        *(f"{fastest / ours[what]['wall']:.1f}x" for what in _OURS),
    ]
    return "| " + " | ".join(cells) + " |"


def _optional(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="recordings, or the folder of a LayerStore (stgcnlib.record)")
    parser.add_argument("--layers", default="1,4,7,10", help="indices, 0 is the input")
    parser.add_argument("--quick", action="store_true", help="all pairs on a part of the sequences, peers for a second")
    parser.add_argument("--width", type=int, default=64, help="of the network that records")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "dtw_peers.json")
    arguments = parser.parse_args()
    layers = [int(index) for index in arguments.layers.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        if (arguments.data / "zarr.json").exists():
            store, recording = LayerStore.open(arguments.data), None
        else:
            store, recording = record_layers(arguments.data, Path(folder) / "store", width=arguments.width)
        results = measure(store, layers, quick=arguments.quick)
    results["recording"] = None if recording is None else asdict(recording)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=1, default=float) + "\n")
    text = table(results)
    print("\n" + text)
    readme = Path(__file__).parent / "README.md"
    before, rest = readme.read_text().split(MARKS[0])
    readme.write_text(before + MARKS[0] + "\n" + text + "\n" + MARKS[1] + rest.split(MARKS[1])[1])


if __name__ == "__main__":
    main()
