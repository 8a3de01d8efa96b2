"""Sanity checks of relevance maps: do they depend on the class, on the weights, and on noise that should not matter?

None of them proves a map right; a map that fails one should not be read.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import uniform_filter
from scipy.stats import rankdata
from torch import nn

from stgcnlib.activations import observing
from stgcnlib.activations.axes import Axes
from stgcnlib.activations.observe import INPUT
from stgcnlib.dsgraph import DSGraph, ds_graph, nnk_graph
from stgcnlib.dtw import DTWLike, dtw_options
from stgcnlib.explain.faithfulness import Maps
from stgcnlib.explain.gradcam import RelevanceMap, grad_cam, grad_cam_set
from stgcnlib.geometry.smoothness import label_smoothness
from stgcnlib.geometry.uncertainty import bootstrap_counts, bootstrap_means, interval
from stgcnlib.groups import SUBJECT, at_least_two, largest_k, resampled_groups
from stgcnlib.networks.batches import check_fit, equal_batches, network_batch
from stgcnlib.sequences import SequenceSet

__all__ = ["contrastivity", "map_smoothness", "rank_correlation", "randomisation", "similarity", "stability"]


def contrastivity(
    network: nn.Module,
    data: SequenceSet,
    *,
    layers: str | Sequence[str] | None = None,
    axes: Axes | None = None,
    resample: ArrayLike | None = None,
    seed: int = 0,
    draws: int = 1000,
    device: str = "cpu",
) -> pd.DataFrame:
    """How much a layer's map changes with the class asked for: predicted against runner-up.

    `layers` and `axes` are as in `record`, `resample` as in `map_smoothness`; None takes the set's "subject" where it
    has one.

    Columns layer, title, index; `correlation` of the two signed maps by ranks, mean over recordings, with low and
    high of its interval. 1 means the same map for both classes, so that it says nothing about either.
    """
    check_fit(network, data)
    first, second = _best_two(network, data, device)
    pairs = []
    for i in range(len(data)):
        both = [
            grad_cam(network, data.coords[i], layers=layers, axes=axes, target=int(c[i]), signed=True, device=device)
            for c in (first, second)
        ]
        pairs.append({name: rank_correlation(both[0][name].values, both[1][name].values) for name in both[0]})
        about = both[0]
    return _by_layer(pairs, about, "correlation", _resampled(resample, data), seed, draws)


def stability(
    network: nn.Module,
    data: SequenceSet,
    maps: Maps,
    *,
    jitter: float = 0.01,
    repeats: int = 3,
    axes: Axes | None = None,
    resample: ArrayLike | None = None,
    seed: int = 0,
    draws: int = 1000,
    device: str = "cpu",
) -> pd.DataFrame:
    """Rank correlation of maps with those of the same recordings under small Gaussian jitter; 1 is best.

    Args:
        maps: of the recordings as they are; the same classes are explained again.
        jitter: standard deviation of the noise, as a share of each recording's own spread of positions.
        repeats: noisy copies per recording.
        axes: of the layers, as in `record`.
        resample: as in `map_smoothness`; None takes the set's "subject" where it has one.

    Columns layer, title, index, correlation, low, high.
    """
    generator = np.random.default_rng(seed)
    rows = []
    for i in range(len(data)):
        target = _target(maps[i])
        found: list[dict[str, float]] = []
        for _ in range(repeats):
            size = jitter * float(data.coords[i].std())
            noisy = data.coords[i] + generator.normal(0, size, data.coords[i].shape).astype(np.float32)
            again = grad_cam(
                network, noisy, layers=list(maps[i]), axes=axes, target=target, signed=_signed(maps[i]), device=device
            )
            found.append({n: rank_correlation(m.values, again[n].values) for n, m in maps[i].items()})
        rows.append({name: float(np.mean([each[name] for each in found])) for name in found[0]})
    return _by_layer(rows, maps[0], "correlation", _resampled(resample, data), seed, draws)


def randomisation(
    network: nn.Module,
    data: SequenceSet,
    maps: Maps,
    *,
    axes: Axes | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> pd.DataFrame:
    """Cascading randomisation (Adebayo et al. 2018): maps while weights are lost from the head down, one block at
    a time.

    A layer's map that stays like its first self although the network above, or all of it, is random, does not show
    what the network learned. Modules are drawn anew by their own ``reset_parameters``; parameters of no such module
    are shuffled. The network given is left as it is.

    Columns step (0: nothing random), randomised (what was lost last), layer, title, index, correlation (by ranks) and
    similarity (SSIM), means over recordings. `axes` is as in `record`. Parameters outside the layers that have maps go
    with the head if they were defined after the last of them, else at the end.
    """
    check_fit(network, data)
    titles = {name: each.title for name, each in maps[0].items() if name != INPUT}
    lost = copy.deepcopy(network)
    classes = [_target(each) for each in maps]
    signed = any(_signed(each) for each in maps)
    rows = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        steps: list[tuple[str, list[str]]] = [("nothing", []), *_cascade(lost, titles)]
        for step, (title, parameters) in enumerate(steps):
            _lose(lost, parameters)
            again = _explain(lost, data, classes, layers=list(maps[0]), axes=axes, signed=signed, device=device)
            for name, each in maps[0].items():
                ranks = [rank_correlation(m[name].values, a[name].values) for m, a in zip(maps, again, strict=True)]
                alike = [similarity(m[name].values, a[name].values) for m, a in zip(maps, again, strict=True)]
                rows.append({
                    "step": step, "randomised": title, "layer": name, "title": each.title, "index": each.index,
                    "correlation": _known_mean(ranks), "similarity": float(np.mean(alike)),
                })  # fmt: skip
    return pd.DataFrame(rows)


def map_smoothness(
    maps: Maps,
    labels: ArrayLike,
    *,
    k: int = 10,
    groups: ArrayLike | None = None,
    resample: ArrayLike | None = None,
    feature_distances: Mapping[str, NDArray[np.float32]] | None = None,
    dtw: DTWLike = None,
    seed: int = 0,
    draws: int = 1000,
) -> pd.DataFrame:
    """Label smoothness of the maps, taken as sequences (T, V) of unit mass, per layer, beside that of the features.

    Low: recordings of one class are explained alike. Both graphs are NNK graphs of the same recordings with the same
    K, by windowed DTW; members of one group are no neighbours.

    Args:
        labels: (N,) class indices.
        k: candidates per node; lowered to what N and the groups allow.
        groups: (N,) subject of each recording, or `None`; one subject for all counts as none.
        resample: (N,) groups that intervals resample as a whole; "recordings": every one by itself; `None`: `groups`.
        feature_distances: layer -> (N, N) DTW distances of the features of these recordings.
        dtw: a `DTWOptions` or some of its fields.

    Columns layer, title, index, maps, maps_low, maps_high, and features, features_low, features_high.
    """
    y = np.asarray(labels)
    options, excluded = dtw_options(dtw), at_least_two(groups)
    k = largest_k(k, excluded, len(y))
    drawn = at_least_two(resampled_groups(resample, groups))
    counts = bootstrap_counts(len(y), draws=draws, groups=drawn, seed=seed)
    rows = []
    for name, first in maps[0].items():
        sequences = [_unit_mass(each[name].values).sum(axis=0) for each in maps]
        row: dict[str, object] = {"layer": name, "title": first.title, "index": first.index}
        graphs: dict[str, DSGraph] = {"maps": ds_graph(sequences, k=k, exclude=excluded, dtw=options)}
        if feature_distances is not None and name in feature_distances:
            graphs["features"] = nnk_graph(feature_distances[name], k=k, exclude=excluded)
        for what, graph in graphs.items():
            nodes = np.asarray(label_smoothness(graph, y, per="node"))
            row[what] = float(np.nanmean(nodes))
            known = np.isfinite(nodes)
            row[f"{what}_low"], row[f"{what}_high"] = interval(bootstrap_means(nodes[known], counts[:, known]))
        rows.append(row)
    return pd.DataFrame(rows)


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's correlation of b with a; NaN where a is constant, and 0 where only b is, which agrees with nothing."""
    x, y = (rankdata(np.asarray(v, np.float64).ravel()) for v in (a, b))
    x, y = x - x.mean(), y - y.mean()
    if not x.any():
        return float("nan")
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 0 else 0.0


def similarity(a: NDArray[np.float32], b: NDArray[np.float32], *, window: int = 7) -> float:
    """SSIM (Wang et al. 2004) of two maps (M, T, V) as pictures, each scaled to its own largest value.

    Local means and variances are over `window` frames and joints of one person; joints are taken in the layout's
    order, in which neighbours mostly belong to one limb.
    """
    x, y = (np.asarray(v, np.float64) / (float(np.abs(v).max()) or 1.0) for v in (a, b))
    size = (1, min(window, x.shape[1]), min(window, x.shape[2]))

    def mean(v: NDArray[np.float64]) -> NDArray[np.float64]:
        result: NDArray[np.float64] = uniform_filter(v, size, mode="reflect")
        return result

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return float(np.mean((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))))


def _unit_mass(values: NDArray[np.float32]) -> NDArray[np.float64]:
    total = float(np.abs(values).sum())
    # Times the frames: a long recording's frames must not be fainter than a short one's.
    return values.astype(np.float64) * (values.shape[1] / total if total > 0 else 0.0)


def _cascade(network: nn.Module, titles: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """(title, parameters) in the order in which they are lost."""
    all_names = [name for name, _ in network.named_parameters()]
    inside = {name: [p for p in all_names if p.startswith(f"{name}.")] for name in titles}
    taken = {p for members in inside.values() for p in members}
    last = max((all_names.index(p) for p in taken), default=-1)
    head = [p for k, p in enumerate(all_names) if p not in taken and k > last]
    stem = [p for k, p in enumerate(all_names) if p not in taken and k < last]
    steps = [("head", head), *((titles[name], inside[name]) for name in reversed(list(titles))), ("stem", stem)]
    return [(title, members) for title, members in steps if members]


def _lose(network: nn.Module, parameters: Sequence[str]) -> None:
    owners: dict[str, list[str]] = {}
    for name in parameters:
        owner, _, own = name.rpartition(".")
        owners.setdefault(owner, []).append(own)
    for owner, members in owners.items():
        module = network.get_submodule(owner)
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
            continue
        for own in members:
            value = getattr(module, own) if not own.isdigit() else module[int(own)]  # type: ignore[index]
            with torch.no_grad():
                value.copy_(value.flatten()[torch.randperm(value.numel())].view_as(value))


def _explain(
    network: nn.Module,
    data: SequenceSet,
    classes: Sequence[int | tuple[int, int]],
    *,
    layers: Sequence[str],
    axes: Axes | None,
    signed: bool,
    device: str,
) -> list[dict[str, RelevanceMap]]:
    """Maps of each recording's own class, by as few passes as there are classes."""
    result: list[dict[str, RelevanceMap]] = [{} for _ in range(len(data))]
    for wanted in dict.fromkeys(classes):
        members = [i for i, c in enumerate(classes) if c == wanted]
        found = grad_cam_set(
            network, data.select(members), layers=layers, axes=axes, target=wanted, signed=signed, device=device,
            progress=False,
        )  # fmt: skip
        for i, each in zip(members, found, strict=True):
            result[i] = each
    return result


def _best_two(network: nn.Module, data: SequenceSet, device: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = np.empty((len(data), 2), dtype=np.int64)
    with observing(network, [], device=device) as forward:
        for batch in equal_batches(data, 4096):
            logits, _ = forward(network_batch([data.people(i) for i in batch]))
            order[batch] = logits.topk(2, dim=1).indices.cpu().numpy()
    return order[:, 0], order[:, 1]


def _target(maps: Mapping[str, RelevanceMap]) -> int | tuple[int, int]:
    first = next(iter(maps.values()))
    return first.target if first.versus is None else (first.target, first.versus)


def _signed(maps: Mapping[str, RelevanceMap]) -> bool:
    return any(float(each.values.min()) < 0 for each in maps.values())


def _resampled(resample: ArrayLike | None, data: SequenceSet) -> NDArray[Any] | None:
    return at_least_two(resampled_groups(resample, data.groups.get(SUBJECT)))


def _known_mean(values: ArrayLike) -> float:
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    return float(finite.mean()) if len(finite) else float("nan")


def _by_layer(
    rows: Sequence[Mapping[str, float]],
    about: Mapping[str, RelevanceMap],
    column: str,
    groups: NDArray[Any] | None,
    seed: int,
    draws: int,
) -> pd.DataFrame:
    counts = bootstrap_counts(len(rows), draws=draws, groups=groups, seed=seed)
    table = []
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        known = np.isfinite(values)  # a map that is zero everywhere has no correlation
        low, high = interval(bootstrap_means(values[known], counts[:, known]))
        table.append({
            "layer": name, "title": about[name].title, "index": about[name].index, column: _known_mean(values),
            "low": low, "high": high,
        })  # fmt: skip
    return pd.DataFrame(table)
