"""A content of kind "explorer" that has everything: classes that come together, lists, poses."""

from __future__ import annotations

from typing import Any

import numpy as np
from explorer_pages import HOSTILE, category
from numpy.typing import NDArray

CLASSES = ("wave", "clap", "throw", "sit down", "<i>pick up</i>", "walk")


def study_content(N: int = 60, L: int = 4, seed: int = 0) -> dict[str, Any]:
    """N recordings r000, r001, …, the last with a hostile name; classes by turns come together from layer to layer."""
    rng = np.random.default_rng(seed)
    codes = (np.arange(N) % len(CLASSES)).astype(np.uint16)
    codes[-1:] = 65535
    predicted = np.where(rng.random(N) < 0.85, codes, (codes + 1) % len(CLASSES)).astype(np.uint16)
    names = [f"r{i:03d}" for i in range(N - 1)] + [HOSTILE] * (N > 0)
    return {
        "version": 1, "title": "small study", "subtitle": "reports/small, made 2026-11-26 13:46",
        "nodes": {
            "count": N, "names": names,
            "categories": [
                category("class", CLASSES, codes),
                {**category("predicted", CLASSES, predicted), "title": "predicted class"},
                category("subject", ["s1", "s2", "s3"], np.arange(N) % 3),
            ],
            "numbers": [{"key": "frames", "title": "frames", "values": rng.integers(30, 90, N).astype(np.float32)}],
        },
        "maps": [study_map("trained", codes, L, rng)],
        "offered": [{"key": "untrained", "title": "untrained network"}],
        "poses": study_poses(N, rng),
        "lists": [
            {"key": "suspects", "title": "Suspect labels", "items": [
                {"nodes": ["r002"], "text": "r002: its neighbours clap", "map": "trained", "layer": 2},
                {"nodes": [4], "text": HOSTILE}]},
            {"key": "flips", "title": "Groups that change most", "items": [
                {"nodes": ["r001", "r007"], "text": "clap from layer 1 to layer 2", "layer": 2, "from": 1, "to": 2,
                 "colour": "flips"}]},
        ],
        "code": {"folder": "reports/small"}, "state": {},
    }  # fmt: skip


def study_map(key: str, codes: NDArray[Any], L: int, rng: np.random.Generator) -> dict[str, Any]:
    """Recordings of a class move towards their centre; edges go to the five nearest."""
    N = len(codes)
    angle = np.minimum(codes, len(CLASSES)) / len(CLASSES) * 2 * np.pi
    centres = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    noise = rng.normal(size=(N, 2))
    share = np.linspace(0.1, 1, L)[:, None, None]
    points = (share * 1.6 * centres + (1.1 - share) * noise).astype(np.float32)
    away = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
    away[:, np.arange(N), np.arange(N)] = np.inf
    K = min(5, max(N - 1, 0))
    ends = np.argsort(away, axis=2)[:, :, :K]
    weights = np.exp(-np.take_along_axis(away, ends, axis=2))
    alike = codes[ends] == codes[:, None]
    smooth = alike.mean(axis=2).astype(np.float32) if K else np.zeros((L, N), np.float32)
    return {
        "key": key, "title": f"{key} network", "study": "small",
        "layers": [{"name": f"layer{k}", "title": "input" if k == 0 else f"layer {k}", "index": k} for k in range(L)],
        "points": points, "smoothness": smooth,
        "edges": {"starts": (np.arange(L)[:, None] * N * K + np.arange(N + 1) * K).astype(np.uint32),
                  "ends": ends.ravel().astype(np.uint32), "weights": weights.ravel().astype(np.float32)},
        "classes": np.array([smooth[:, codes == c].mean(axis=1) if (codes == c).any() else np.full(L, np.nan)
                             for c in range(len(CLASSES))], np.float32),
        "curve": smooth.mean(axis=1).astype(np.float32),
    }  # fmt: skip


def study_poses(N: int, rng: np.random.Generator, frames: int = 12) -> dict[str, Any]:
    """A stick figure of seven joints that sways."""
    stick = np.array(
        [[0, 0, 0], [0, 0, 0.5], [0, 0, 0.8], [0.4, 0, 0.4], [-0.4, 0, 0.4], [0.2, 0, -0.8], [-0.2, 0, -0.8]]
    )
    sway = np.sin(np.linspace(0, 6, frames)[None, :, None, None] * (1 + np.arange(N)[:, None, None, None] % 3)) * 0.2
    points = stick[None, None] + sway * np.abs(stick[:, 2:]) + rng.normal(scale=0.01, size=(N, frames, 7, 3))
    return {
        "frames": frames, "people": 1, "joints": 7, "dimensions": 3, "unit": 1 / 16000,
        "bones": [[1, 0], [2, 1], [3, 1], [4, 1], [5, 0], [6, 0]],
        "sides": ["#4a5560"] * 3 + ["#2a6fb0", "#d1601f"] * 2,
        "range": [[-1.1, 1.1]] * 3, "camera": [-60, 12],
        "points": (points[:, None] * 16000).astype(np.int16),
    }  # fmt: skip
