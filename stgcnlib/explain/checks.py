"""Sanity checks of relevance maps: do they depend on the class, and on noise that should not matter?

No check proves that a map is right; a map that fails one should not be interpreted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from torch import nn

from stgcnlib.activations import observing
from stgcnlib.activations.axes import Axes
from stgcnlib.explain.gradcam import grad_cam_set
from stgcnlib.explain.intervals import over_recordings
from stgcnlib.explain.likeness import rank_correlation
from stgcnlib.explain.randomisation import is_signed
from stgcnlib.explain.relevance import Maps, RelevanceMap
from stgcnlib.explain.targets import check_classes
from stgcnlib.groups import SUBJECT, resampled_groups
from stgcnlib.networks.batches import check_fit, check_scores, equal_batches, network_batch
from stgcnlib.sequences import SequenceSet
from stgcnlib.transforms import jitter as add_noise
from stgcnlib.transforms.presence import people_there

__all__ = ["contrastivity", "stability"]


def contrastivity(
    network: nn.Module,
    data: SequenceSet,
    *,
    layers: str | Sequence[str] | None = None,
    axes: Axes | None = None,
    resample: ArrayLike | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    device: str = "cpu",
) -> pd.DataFrame:
    """How much a layer's map changes with the class asked for: predicted against runner-up.

    `layers` and `axes` are as in `record`, `resample` (N,) as in `map_smoothness`; None takes the set's "subject" where
    it has one.

    Columns layer, title, index; `correlation` of the two signed maps by ranks, mean over recordings, with low and
    high of its interval; `empty`, the recordings left out because a map has no relevance. 1 means the same map for both
    classes, so that it says nothing about either.

    Source: our choice (docs/method.md, "L-STG-GradCAM").

    Raises:
        SequenceError: the recordings have no classes, or the network has only one output.
        StudyError: the network's scores or maps are NaN or infinite.
    """
    check_fit(network, data)
    first, second = _best_two(network, data, device)
    pairs = []
    for i in range(len(data)):
        there = people_there(data.people(i), data.layout)
        both = [
            grad_cam_set(
                network,
                data.select([i]),
                layers=layers,
                axes=axes,
                target=int(c[i]),
                signed=True,
                device=device,
                progress=False,
            )[0]
            for c in (first, second)
        ]
        pairs.append({n: rank_correlation(each.values, both[1][n].values, there=there) for n, each in both[0].items()})
        about = both[0]
    return _by_layer(pairs, about, resample, data, confidence, seed)


def stability(
    network: nn.Module,
    data: SequenceSet,
    maps: Maps,
    *,
    jitter: float = 0.01,
    repeats: int = 3,
    axes: Axes | None = None,
    resample: ArrayLike | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    device: str = "cpu",
) -> pd.DataFrame:
    """Rank correlation of maps with those of the same recordings under small Gaussian jitter; 1 is best.

    Source: our choice (docs/method.md, "L-STG-GradCAM").

    Args:
        maps: of the recordings as they are; the same classes are explained again.
        jitter: standard deviation of the noise, as a share of each recording's own spread of positions: the root mean
            square about their means over frames and joints, axis by axis (`stgcnlib.transforms.jitter`).
        repeats: noisy copies per recording.
        axes: of the layers, as in `record`.
        resample: (N,) groups as in `map_smoothness`; None takes the set's "subject" where it has one.

    A map that loses all relevance under jitter counts 0. Recordings whose map has none to begin with are left out and
    counted.

    Columns layer, title, index, correlation, low, high, empty.
    """
    generator = np.random.default_rng(seed)
    level = float(-20 * np.log10(jitter)) if jitter > 0 else float("inf")
    rows = []
    for i in range(len(data)):
        target = next(iter(maps[i].values())).explained
        there = people_there(data.people(i), data.layout)
        found: list[dict[str, float]] = []
        for _ in range(repeats):
            drawn = add_noise(data.select([i]), snr_db=level, seed=int(generator.integers(2**32)))
            again = grad_cam_set(
                network, drawn, layers=list(maps[i]), axes=axes, target=target, signed=is_signed([maps[i]]),
                device=device, progress=False,
            )[0]  # fmt: skip
            found.append({n: _kept(m.values, again[n].values, there) for n, m in maps[i].items()})
        rows.append({name: float(np.mean([each[name] for each in found])) for name in found[0]})
    return _by_layer(rows, maps[0], resample, data, confidence, seed)


def _kept(before: NDArray[np.float32], after: NDArray[np.float32], there: NDArray[np.bool_]) -> float:
    """Rank correlation; 0 where only the second map is without relevance."""
    lost = there.any() and np.ptp(before[there]) > 0 and np.ptp(after[there]) == 0
    return 0.0 if lost else rank_correlation(before, after, there=there)


def _best_two(network: nn.Module, data: SequenceSet, device: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    what = "contrastivity compares the two classes with the highest scores"
    check_classes(what, data)
    order = np.empty((len(data), 2), dtype=np.int64)
    with observing(network, [], device=device) as forward:
        for batch in equal_batches(data, 4096):
            x = network_batch([data.people(i) for i in batch])
            logits = check_scores(forward(x)[0], x)
            check_classes(what, data, logits)
            order[batch] = logits.topk(2, dim=1).indices.cpu().numpy()
    return order[:, 0], order[:, 1]


def _by_layer(
    rows: Sequence[Mapping[str, float]],
    about: Mapping[str, RelevanceMap],
    resample: ArrayLike | None,
    data: SequenceSet,
    confidence: float,
    seed: int,
) -> pd.DataFrame:
    """A row per layer: mean correlation over recordings, and how many had none since a map was without relevance."""
    groups = resampled_groups(resample, data.groups.get(SUBJECT))
    table = []
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        mean = over_recordings(values, groups, confidence=confidence, seed=seed)
        table.append({
            "layer": name, "title": about[name].title, "index": about[name].index, "correlation": mean.value,
            "low": max(mean.low, -1.0), "high": min(mean.high, 1.0), "empty": int((~np.isfinite(values)).sum()),
        })  # fmt: skip
    return pd.DataFrame(table)
