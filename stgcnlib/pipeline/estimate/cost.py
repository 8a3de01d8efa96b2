"""Cost: what one artefact takes, and the sizes that several kinds of artefacts have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stgcnlib.pipeline.estimate.facts import Facts, Part
from stgcnlib.pipeline.estimate.trials import Units
from stgcnlib.pipeline.line.networks import FREE_SHARE

__all__ = ["BATCH_FRAMES", "HASHED", "MANY", "MB", "NO_AXES", "REACH", "Axes", "Cost", "activations_on_disk",
           "coordinates", "forward_seconds", "graph_bytes", "kept_by_passes", "known_pairs", "matrices",
           "recorded_again", "stored_size"]  # fmt: skip

Axes = Mapping[str, str]
NO_AXES: Axes = {}
MB = 10**6
BATCH_FRAMES = 2048
"""Frames of all people in one pass of `record`, and about so many where a network is evaluated."""
HASHED = 600 * MB
"""Bytes per second that are written, read, or hashed for a checksum."""


MANY = 1024
"""Threads of work that every further thread shortens."""


@dataclass(frozen=True)
class Cost:
    """What one artefact takes.

    Attributes:
        seconds: of a processor.
        memory: bytes, beyond those that each process has.
        disk: bytes that stay.
        scratch: further bytes of the output's disk that are needed only while it is made.
        temporary: bytes of the system's temporary folder that are needed only while it is made.
        keeps: kind of work -> bytes of memory that a process keeps after it, no matter how often it does such work.
        threads: up to how many threads shorten it.
    """

    seconds: float = 0.0
    memory: float = 0.0
    disk: float = 0.0
    scratch: float = 0.0
    temporary: float = 0.0
    keeps: Mapping[str, float] = field(default_factory=dict)
    threads: int = 1


def forward_seconds(u: Units, part: Part) -> float:
    """Seconds of recordings through the network, without keeping anything."""
    return u.forward.seconds(part.passes(BATCH_FRAMES), part.frames)


def coordinates(f: Facts, part: Part) -> float:
    """Bytes of recordings."""
    return 4.0 * part.frames * f.joints * f.channels


def stored_size(f: Facts) -> int:
    """Bytes per number of the features on disk."""
    return 2 if f.study.activations.dtype == "float16" else 4


def activations_on_disk(f: Facts) -> int:
    """Bytes of one network's recorded layers: whole chunks of zarr, the last one filled up."""
    from stgcnlib.activations.blocks import CHUNK_BYTES

    size, total = stored_size(f), 4 * f.classes * len(f.nodes)
    for layer in f.layers:
        chunk = min(layer.rows, max(1, CHUNK_BYTES // (size * layer.width)))
        total += -(-layer.rows // chunk) * chunk * size * layer.width
    return total


def recorded_again(f: Facts) -> float:
    """Share of the networks whose features are not kept, but recorded again when they are read."""
    mode, free = f.study.compute.activations, f.free
    if mode != "auto":
        return float(mode == "recompute")
    count = f.study.network.seeds + f.study.controls.untrained + f.study.controls.initial
    size, kept = activations_on_disk(f), 0
    while free is not None and kept < count and size <= FREE_SHARE * free:
        free, kept = free - size, kept + 1
    return 0.0 if free is None else 1 - kept / count


REACH = 1.5
"""Neighbours that are searched for, as a multiple of K: graphs are also made without a part of the nodes."""


def known_pairs(f: Facts) -> float:
    """Number of known distances of a layer: of all pairs in both directions, or those that a search computes."""
    from stgcnlib.dsgraph.distances import takes_all_pairs

    count = len(f.nodes)
    if takes_all_pairs(f.study.graph.distances, count):
        return float(count**2)
    return min(float(count**2), 3 * REACH * f.k * count)


def matrices(f: Facts) -> float:
    """Bytes of the distances that are known of all layers of one network."""
    return (4.0 if known_pairs(f) == len(f.nodes) ** 2 else 16.0) * len(f.layers) * known_pairs(f)


def graph_bytes(f: Facts) -> float:
    """Bytes on disk of the graphs of all layers of one network, and the tables read off them."""
    return len(f.layers) * len(f.nodes) * (10.0 * f.k + 90)


def kept_by_passes(f: Facts) -> dict[str, float]:
    """What torch keeps of its convolutions, as measured for ST-GCN of 16 and 64 channels; see `process_variables`."""
    per_frame = f.activations / max(1, f.nodes.frames)
    return {"passes": 200 * MB + 3.5 * per_frame * max(BATCH_FRAMES, f.every.longest)}
