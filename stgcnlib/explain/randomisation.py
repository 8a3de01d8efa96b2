"""Cascading randomisation: how relevance maps change while the network's weights are randomised.

Maps that stay the same show the input or the network's architecture, not what was learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from stgcnlib.activations.axes import Axes
from stgcnlib.activations.observe import INPUT
from stgcnlib.errors import SequenceError
from stgcnlib.explain.baseline import moved
from stgcnlib.explain.gradcam import BATCH_FRAMES, grad_cam_set
from stgcnlib.explain.intervals import known_mean, over_recordings
from stgcnlib.explain.likeness import rank_correlation, similarity
from stgcnlib.explain.relevance import Maps, RelevanceMap
from stgcnlib.groups import SUBJECT, resampled_groups
from stgcnlib.networks.batches import check_fit
from stgcnlib.networks.copies import copied, on_copies, one_at_a_time
from stgcnlib.sequences import SequenceSet
from stgcnlib.transforms.presence import people_there

__all__ = ["is_signed", "randomisation"]

Floats = NDArray[np.float64]


def randomisation(
    network: nn.Module,
    data: SequenceSet,
    maps: Maps,
    *,
    axes: Axes | None = None,
    resample: ArrayLike | None = None,
    repeats: int = 3,
    seed: int = 0,
    device: str = "cpu",
) -> pd.DataFrame:
    """Cascading randomisation (Adebayo et al. 2018): maps while weights are randomised, from the head down
    and one block at a time.

    A layer's map that stays similar although the network above it, or all of it, is random, does not show what the
    network learned. Modules are initialised again by their own ``reset_parameters``; parameters that it does not write,
    as under ``torch.nn.utils.weight_norm``, and parameters of modules without it are shuffled. The given network is not
    changed.

    A random head often turns a map's sign. A map and its negative show the same places, but over recordings signed
    correlations of both kinds cancel to 0. So likeness is the absolute rank correlation; the signed mean is given too.
    Absolute correlations of unrelated maps are above 0: `chance` is the mean absolute correlation of maps with their
    own copies, joints shuffled and frames rolled (`baseline.moved`). Maps without any relevance, before or after, are
    left out and counted.

    Args:
        maps: of the recordings, by the network as it is; the same classes are explained again.
        axes: of the layers, as in `record`.
        resample: (N,) groups that intervals leave out as a whole; "recordings": every one by itself; None: the set's
            "subject" where it has one.
        repeats: how often all weights are drawn anew, from seeds seed, seed + 1, …
        seed: of the draws.

    Returns:
        Columns step (0: nothing random), randomised (what was randomised last), layer, title, index, correlation (mean
        absolute rank correlation over recordings and draws) with low and high of its interval, spread (standard
        deviation between draws; NaN for one), signed (mean rank correlation), similarity (mean SSIM), chance, pairs
        (of maps that were compared) and empty (pairs left out). Parameters outside the layers that have maps go with
        the head if they were defined after the last of them, else at the end.

    Raises:
        SequenceError: repeats is below 1.
        StudyError: a map of a randomised network is NaN or infinite.
    """
    if repeats < 1:
        raise SequenceError(f"repeats={repeats}; the weights must be drawn anew at least once")
    check_fit(network, data)
    titles = {name: each.title for name, each in maps[0].items() if name != INPUT}
    classes = [next(iter(each.values())).explained for each in maps]
    groups = resampled_groups(resample, data.groups.get(SUBJECT))
    there = [people_there(data.people(i), data.layout) for i in range(len(data))]
    chance = _chance(maps, there, np.random.default_rng(seed), repeats)
    found: dict[tuple[int, str], list[Floats]] = {}  # (step, layer) -> (2, N) rank correlation and SSIM of each draw
    steps: list[tuple[str, list[str]]] = []
    for draw in range(repeats):
        lost = copied(network)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + draw)
            steps = [("nothing", []), *_cascade(lost, titles)]
            for step, (_, parameters) in enumerate(steps):
                if draw and not step:  # nothing is random yet: the same as in the first draw
                    for name in maps[0]:
                        found[step, name].append(found[step, name][0])
                    continue
                _lose(lost, parameters)
                again = _explain(
                    lost, data, classes, layers=list(maps[0]), axes=axes, signed=is_signed(maps), device=device
                )
                for name in maps[0]:
                    found.setdefault((step, name), []).append(_likeness(maps, again, there, name))
    rows = []
    for (step, name), draws in found.items():
        ranks, alike = np.stack(draws, axis=1)  # (draws, N) each
        per_draw = np.array([known_mean(each) for each in np.abs(ranks)])
        of_recordings = np.array([known_mean(each) for each in np.abs(ranks).T])
        # Draws without any relevance have no value and are left out of the spread.
        found_in = per_draw[np.isfinite(per_draw)]
        estimate = over_recordings(of_recordings, groups, seed=seed).spread_over(found_in)
        rows.append({
            "step": step, "randomised": steps[step][0], "layer": name, "title": maps[0][name].title,
            "index": maps[0][name].index, "correlation": estimate.value, "low": max(estimate.low, 0.0),
            "high": min(estimate.high, 1.0),
            "spread": float(np.std(found_in, ddof=1)) if len(found_in) > 1 else float("nan"),
            "signed": known_mean(ranks), "similarity": known_mean(alike), "chance": chance[name],
            "pairs": int(np.isfinite(ranks).sum()), "empty": int((~np.isfinite(ranks)).sum()),
        })  # fmt: skip
    return pd.DataFrame(rows)


def is_signed(maps: Maps) -> bool:
    """Whether a set of maps has negative relevance."""
    return any(float(each.values.min()) < 0 for layers in maps for each in layers.values())


def _likeness(maps: Maps, again: Maps, there: Sequence[NDArray[np.bool_]], name: str) -> Floats:
    """(2, N) rank correlation and SSIM of each recording's two maps, where people are; NaN where one has no
    relevance."""
    pairs = [(old[name].values, new[name].values) for old, new in zip(maps, again, strict=True)]
    ranks = np.array([rank_correlation(*pair, there=each) for pair, each in zip(pairs, there, strict=True)])
    alike = np.array([similarity(*pair, there=each) for pair, each in zip(pairs, there, strict=True)])
    return np.stack([ranks, np.where(np.isfinite(ranks), alike, np.nan)])


def _chance(
    maps: Maps, there: Sequence[NDArray[np.bool_]], generator: np.random.Generator, draws: int
) -> dict[str, float]:
    """Layer -> mean absolute rank correlation of maps with themselves at other joints and moments."""
    return {
        name: known_mean(
            [
                abs(rank_correlation(m[name].values, moved(m[name].values, generator, each), there=each))
                for m, each in zip(maps, there, strict=True)
                for _ in range(draws)
            ]
        )
        for name in maps[0]
    }


def _cascade(network: nn.Module, titles: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """(title, parameters) in the order in which they are randomised."""
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
        values = [getattr(module, own) if not own.isdigit() else module[int(own)] for own in members]  # type: ignore[index]
        before = [(_writes(value), value.clone()) for value in values]
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
        for own, value, (writes, old) in zip(members, values, before, strict=True):
            replaced = not own.isdigit() and getattr(module, own) is not value
            if not replaced and _writes(value) == writes and torch.equal(value, old):
                with torch.no_grad():
                    value.copy_(value.flatten()[torch.randperm(value.numel())].view_as(value))


def _writes(value: torch.Tensor) -> int:
    """How often a tensor was written in place; a number drawn anew may equal the old one, as a bias of 0 does."""
    return 0 if value.is_inference() else value._version


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
    members: dict[int | tuple[int, int], list[int]] = {}
    for i, c in enumerate(classes):
        members.setdefault(c, []).append(i)

    def maps_of(own: nn.Module, wanted: int | tuple[int, int]) -> list[dict[str, RelevanceMap]]:
        return grad_cam_set(
            own, data.select(members[wanted]), layers=layers, axes=axes, target=wanted, signed=signed, device=device,
            progress=False,
        )  # fmt: skip

    result: list[dict[str, RelevanceMap]] = [{} for _ in range(len(data))]
    alone = one_at_a_time(data, BATCH_FRAMES, device)
    for own, found in zip(members.values(), on_copies(network, list(members), maps_of, alone=alone), strict=True):
        for i, each in zip(own, found, strict=True):
            result[i] = each
    return result
