"""Exact neighbours of one made-up layer as it grows to NTU RGB+D's size: seconds, memory, shares, and wrong neighbours.

    python benchmarks/scale.py [2000 5000 16487] [--scratch FOLDER]

60 classes, 40 subjects, about 75 frames of 1600 features, all from seeds; the 50 nearest sequences of other subjects.
Frames are written to a file block by block and are read from it again: 480 kB a sequence. Every size runs in a process
of its own, whose peak resident memory is that of the search. Results go to benchmarks/results/scale.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.artefacts.effort import peak_memory
from stgcnlib.dtw import dtw_distances, dtw_neighbors
from stgcnlib.dtw.frames import threads

SIZES = (2000, 5000, 16487)
NEIGHBORS, CHECKED = 50, 50
CLASSES, SUBJECTS = 60, 40
FEATURES, LATENT = 1600, 192
SPECTRUM = (
    0.9  # standard deviations of the latent coordinates fall as their number to minus this: bounds as on UTD-MHAD
)
BLOCK = 64  # sequences that are made or compared at a time


@dataclass(frozen=True)
class RawFeatures:
    """(frames, features) float32 in a file; slices are read by copying."""

    path: Path
    shape: tuple[int, int]

    @property
    def dtype(self) -> np.dtype[np.float32]:
        return np.dtype(np.float32)

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        start, stop, _ = rows.indices(self.shape[0])
        count = (stop - start) * self.shape[1]
        return np.fromfile(self.path, self.dtype, count, offset=start * self.shape[1] * 4).reshape(-1, self.shape[1])


@dataclass(frozen=True)
class RawLayer:
    """Sequences one after another in a file, read like a LayerActivations."""

    features: RawFeatures
    offsets: NDArray[np.int64]
    temporal_stride: int = 1

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def sequence(self, i: int) -> NDArray[np.float32]:
        return self.features[int(self.offsets[i]) : int(self.offsets[i + 1])]


def course(rng: np.random.Generator, frames: NDArray[np.float64], waves: int = 3) -> NDArray[np.float64]:
    """(frames, LATENT) smooth courses about a place, each coordinate as large as the spectrum says."""
    spread = np.arange(1, LATENT + 1) ** -SPECTRUM
    place = rng.normal(size=LATENT) * spread
    speeds = rng.uniform(0.3, 2.5, size=waves)
    phases = rng.uniform(0, 2 * np.pi, size=(waves, LATENT))
    sizes = rng.normal(size=(waves, LATENT)) * spread / np.sqrt(waves)
    turns = 2 * np.pi * speeds[:, None, None] * frames[:, None] + phases[:, None]
    return np.asarray(place + (sizes[:, None] * np.sin(turns)).sum(axis=0))


def made(i: int, basis: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sequence i (T, FEATURES): its class's course at its own speed, its subject's manner, and its own."""
    rng = np.random.default_rng((1, i))
    length = int(np.clip(rng.normal(75, 18), 24, 150))
    time_line = np.sort(np.linspace(0, 1, length) ** rng.uniform(0.8, 1.25))
    latent = course(np.random.default_rng((2, i % CLASSES)), time_line)
    latent += 0.5 * course(np.random.default_rng((3, i // CLASSES % SUBJECTS)), time_line, 1)
    latent += 0.5 * course(rng, time_line)
    return np.asarray(np.maximum(latent.astype(np.float32) @ basis, 0), dtype=np.float32)


def written(count: int, path: Path) -> RawLayer:
    """A layer of so many sequences, made and written block by block."""
    basis = np.random.default_rng(0).normal(size=(LATENT, FEATURES)).astype(np.float32) / np.float32(np.sqrt(LATENT))
    lengths = []
    with path.open("wb") as file:
        for i in range(count):
            sequence = made(i, basis)
            lengths.append(len(sequence))
            sequence.tofile(file)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return RawLayer(RawFeatures(path, (int(offsets[-1]), FEATURES)), offsets)


def wrong_rows(layer: RawLayer, indices: NDArray[np.int64], subjects: NDArray[np.int64]) -> int:
    """Wrong neighbours of CHECKED sequences, against all their distances."""
    rows = np.random.default_rng(0).choice(len(layer), CHECKED, replace=False)
    own = [layer.sequence(int(i)) for i in rows]
    distances = np.empty((CHECKED, len(layer)))
    for start in range(0, len(layer), BLOCK):
        block = [layer.sequence(i) for i in range(start, min(start + BLOCK, len(layer)))]
        distances[:, start : start + BLOCK] = dtw_distances(own, block, progress=False)
    distances[subjects[rows, None] == subjects] = np.inf
    kth = np.partition(distances, NEIGHBORS - 1, axis=1)[:, NEIGHBORS - 1]
    return int((np.take_along_axis(distances, indices[rows], axis=1) > kth[:, None] * (1 + 2e-5)).sum())


def one_size(count: int, scratch: Path) -> dict[str, Any]:
    """Everything of one size, in this process."""
    layer = written(count, scratch / "features.f32")
    subjects = np.arange(count) // CLASSES % SUBJECTS
    begin, wall = time.process_time(), time.perf_counter()
    table = dtw_neighbors(layer, NEIGHBORS, exclude=subjects)
    row = {
        "N": count, "T": float(np.diff(layer.offsets).mean()), "D": FEATURES, "threads": threads(),
        "cpu_seconds": time.process_time() - begin, "wall_seconds": time.perf_counter() - wall,
        "peak_bytes": peak_memory(), **table.statistics,
    }  # fmt: skip
    return row | {"true_share": NEIGHBORS / count, "wrong": wrong_rows(layer, table.indices, subjects)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--scratch", type=Path, help="folder for the frames, 8 GB at 16,487; default: temporary")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "scale.json")
    parser.add_argument("--here", action="store_true", help="the first size only, in this process; prints its result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        if arguments.here:
            print(json.dumps(one_size(arguments.sizes[0], Path(folder)), default=float))
            return
    rows = []
    for size in arguments.sizes:
        command = [sys.executable, __file__, str(size), "--here"]
        command += [] if arguments.scratch is None else ["--scratch", str(arguments.scratch)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    growth = None
    if len(rows) > 1:
        seconds = [row["cpu_seconds"] for row in rows]
        growth = float(np.polyfit(np.log([row["N"] for row in rows]), np.log(seconds), 1)[0])
        print(f"processor seconds grow as N^{growth:.2f}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"rows": rows, "growth": growth}, indent=1) + "\n")


if __name__ == "__main__":
    main()
