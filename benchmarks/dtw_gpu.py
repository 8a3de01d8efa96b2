"""All pairs and 50 nearest neighbours on a CUDA device against the processor, in one run.

    python benchmarks/dtw_gpu.py [--sequences 4096] [--store FOLDER]

Measures, at the shapes of the layers of an ST-GCN of published width (or at the layers of a LayerStore): pairs per
second of the device and of all cores here, what part of the device's measured peak of float32 products that is, where
its time goes, how far distances differ, and whether the neighbours are the same. Results go to
benchmarks/results/dtw_gpu.json.

Without a CUDA device it says so and measures nothing. ``--device cpu`` tries the command itself: torch then runs the
same operations on the processor, and its figures say nothing about a GPU.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stgcnlib.activations import LayerStore
from stgcnlib.dtw import DTWOptions, dtw_distances, dtw_neighbors, gpu
from stgcnlib.dtw.frames import frame_table, threads
from stgcnlib.dtw.gpu import device_pair_costs

NEIGHBORS = 50
PERSONS, CLASSES = 40, 60
LATENT = 24  # directions in which the made features move
SHAPES = {  # frames, features: 25 joints, published width
    "input": (75, 75),
    "layers 1 to 4": (75, 64 * 25),
    "layers 5 to 7": (38, 128 * 25),
    "layers 8 to 10": (19, 256 * 25),
}
STEPS = ("frame_products", "cell_costs", "path_costs")


@dataclass
class ShapeResult:
    """One layer: what the device and the processor take, and whether they agree."""

    layer: str
    sequences: int
    frames: float
    features: int
    device_pairs_per_second: float = 0.0
    device_neighbors_seconds: float = 0.0
    processor_pairs_per_second: float = 0.0
    processor_neighbors_seconds: float = 0.0
    of_peak: float = 0.0  # operations of all frame products per second, over the peak
    phases: dict[str, float] = field(default_factory=dict)  # seconds, each waited for
    largest_difference: float = 0.0  # of a distance, relative
    different_neighbors: int = 0
    compared: int = 0  # sequences whose distances and neighbours are compared


def made_features(count: int, frames: int, features: int, seed: int = 0) -> tuple[list[NDArray[np.float32]], Any]:
    """Sequences of smooth, non-negative features: classes and persons differ, and each repetition a little; persons."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(LATENT, features)).astype(np.float32) / np.sqrt(LATENT)
    waves = rng.normal(size=(CLASSES, 4, LATENT)), rng.normal(size=(PERSONS, 4, LATENT))
    person = rng.integers(0, PERSONS, count)
    made = []
    for i in range(count):
        length = max(2, int(frames * rng.uniform(0.7, 1.3)))
        moment = np.linspace(0, 1, length) ** rng.uniform(0.8, 1.25)
        basis = np.cos(np.pi * moment[:, None] * np.arange(4))
        course = basis @ (waves[0][rng.integers(0, CLASSES)] + 0.5 * waves[1][person[i]])
        course += basis @ rng.normal(size=(4, LATENT)) * 0.4 + rng.normal(size=(length, LATENT)) * 0.05
        made.append(np.maximum(course.astype(np.float32) @ mixing, 0))
    return made, person


def waited(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(work: Callable[[], Any], device: torch.device) -> tuple[Any, float]:
    waited(device)
    begin = time.perf_counter()
    result = work()
    waited(device)
    return result, time.perf_counter() - begin


@contextmanager
def phases(device: torch.device) -> Iterator[dict[str, float]]:
    """Seconds spent in the steps of a tile meanwhile; each is waited for, so that their sum is above the usual time."""
    seconds = dict.fromkeys(STEPS, 0.0)
    kept = {name: getattr(gpu, name) for name in STEPS}

    def counted(phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            result, spent = timed(lambda: function(*given), device)
            seconds[phase] += spent
            return result

        return call

    for name in STEPS:
        setattr(gpu, name, counted(name, kept[name]))
    try:
        yield seconds
    finally:
        for name, function in kept.items():
            setattr(gpu, name, function)


def product_peak(device: torch.device) -> float:
    """Operations per second of a large float32 product, best of five."""
    size = 8192 if device.type == "cuda" else 1024
    x = torch.rand(size, size, device=device)
    with gpu.full_precision():
        x @ x
        return 2 * size**3 / min(timed(lambda: x @ x, device)[1] for _ in range(5))


def measure(
    layer: str, series: list[NDArray[np.float32]], groups: Any, device: torch.device, peak: float, sample: int
) -> ShapeResult:
    """One shape: warm, then measured; the processor on a sample, scaled to a rate."""
    table, options = frame_table(series), DTWOptions()
    lengths = table.lengths.astype(np.float64)
    result = ShapeResult(layer, len(series), float(lengths.mean()), table.features)
    device_pair_costs(options, frame_table(series[:64]), None, device=device, progress=False)
    _, seconds = timed(lambda: device_pair_costs(options, table, None, device=device, progress=None), device)
    result.device_pairs_per_second = len(series) * (len(series) - 1) / 2 / seconds
    cells = (lengths.sum() ** 2 - (lengths**2).sum()) / 2
    result.of_peak = 2 * cells * table.features / seconds / peak

    some, own = series[:sample], None if groups is None else groups[:sample]
    result.compared = len(some)
    few = frame_table(some)
    with phases(device) as result.phases:
        ours = device_pair_costs(options, few, None, device=device, progress=False)
    dtw_distances(some[:64], progress=False)  # compile
    theirs, seconds = timed(lambda: dtw_distances(some, progress=False), device)
    result.processor_pairs_per_second = len(some) * (len(some) - 1) / 2 / seconds
    off = theirs > 0
    result.largest_difference = float(np.abs(ours[off] / theirs[off] - 1).max())

    k = min(NEIGHBORS, len(some) // 2)
    tables = {}
    for name in ("cpu", str(device)):
        found, seconds = timed(lambda: dtw_neighbors(some, k, exclude=own, device=name, progress=False), device)  # noqa: B023
        tables[name] = found.indices
        if name == "cpu":
            result.processor_neighbors_seconds = seconds
        else:
            result.device_neighbors_seconds = seconds
    result.different_neighbors = int((tables["cpu"] != tables[str(device)]).sum())
    return result


def shapes(arguments: argparse.Namespace) -> Iterator[tuple[str, list[NDArray[np.float32]], Any]]:
    if arguments.store is None:
        for layer, (frames, features) in SHAPES.items():
            yield layer, *made_features(arguments.sequences, frames, features)
        return
    store = LayerStore.open(arguments.store)
    for name in store.layers:
        layer = store[name]
        yield layer.title, [np.asarray(layer.sequence(i)) for i in range(len(layer))][: arguments.sequences], None


def text(results: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        f"{results['device']}, product peak {results['peak'] / 1e12:.1f} TFLOP/s in float32; "
        f"{results['processor']}, {results['threads']} threads.",
        "",
        "| layer | T | D | pairs/s | of peak | processor, pairs/s | ratio | largest difference | other neighbours |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in results["layers"]:
        ours, theirs = row["device_pairs_per_second"], row["processor_pairs_per_second"]
        lines.append(
            f"| {row['layer']} | {row['frames']:.0f} | {row['features']} | {ours:,.0f} | {row['of_peak']:.0%} | "
            f"{theirs:,.0f} | {ours / theirs:.0f}x | {row['largest_difference']:.0e} | "
            f"{row['different_neighbors']} of {row['compared']} x {NEIGHBORS} |"
        )
    lines += ["", "Time of a tile's steps, each waited for:", ""]
    for row in results["layers"]:
        total = sum(row["phases"].values())
        shares = ", ".join(f"{phase} {seconds / total:.0%}" for phase, seconds in row["phases"].items())
        lines.append(f"- {row['layer']}: {shares}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sequences", type=int, default=4096)
    parser.add_argument("--sample", type=int, default=800, help="sequences that the processor computes as well")
    parser.add_argument("--store", type=Path, help="folder of a LayerStore, in place of made features")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "dtw_gpu.json")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit(
            "There is no CUDA device here, so nothing was measured. This command measures one where it is."
        )
    peak = product_peak(device)
    results: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "processor in place of a device",
        "peak": peak,
        "processor": platform.processor() or platform.machine(),
        "threads": threads(),
        "torch": torch.__version__,
        "layers": [],
    }
    for layer, series, groups in shapes(arguments):
        results["layers"].append(asdict(measure(layer, series, groups, device, peak, arguments.sample)))
        row = results["layers"][-1]
        print(f"{layer}: {row['device_pairs_per_second']:,.0f} pairs/s, {row['of_peak']:.0%} of the peak", flush=True)
    if device.type == "cuda":
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    print("\n" + text(results))


if __name__ == "__main__":
    main()
