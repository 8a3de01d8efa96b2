"""All checks of how far a study's relevance maps may be trusted, as tables that are saved together.

Other modules of this package compute them; `stgcnlib.verdicts` interprets them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from torch import nn

from stgcnlib.activations.axes import Axes
from stgcnlib.artefacts import read_table
from stgcnlib.dtw import DTWLike
from stgcnlib.errors import SkeletonFormatError
from stgcnlib.explain.baseline import Replacement
from stgcnlib.explain.checks import contrastivity, stability
from stgcnlib.explain.faithfulness import UNITS, Faithfulness, Unit, faithfulness
from stgcnlib.explain.limbs import limb_shares, one_armed
from stgcnlib.explain.randomisation import randomisation
from stgcnlib.explain.relevance import Maps
from stgcnlib.explain.smoothness import MapForm, map_smoothness
from stgcnlib.files import atomic_folder
from stgcnlib.groups import of_nodes
from stgcnlib.sequences import SequenceSet

__all__ = ["MapEvaluation", "evaluate_maps"]

_LAYER = {"layer": "s", "title": "s", "index": "i"}
_ENDS = {"low": "f", "high": "f"}
_WITH_ENDS = ("random", "beats_random", "motion", "beats_motion")
_COLUMNS: dict[str, dict[str, str]] = {
    "curves": {"unit": "s", "mode": "s", "kind": "s", "fraction": "f", "probability": "f"},
    "areas": {"recording": "i", "group": "a", "unit": "s", "mode": "s", "area": "f", "random": "f", "motion": "f"},
    "summary": {"unit": "s", "mode": "s", "recordings": "i", "area": "f"}
    | _ENDS
    | {f"{name}{end}": "f" for name in _WITH_ENDS for end in ("", "_low", "_high")},
    "contrast": {"correlation": "f", "empty": "n"} | _ENDS,
    "random": {"step": "i", "randomised": "s", "correlation": "f", "spread": "f", "signed": "f", "similarity": "f"}
    | {"chance": "f", "pairs": "n", "empty": "n"}
    | _ENDS,
    "stable": {"correlation": "f", "empty": "n"} | _ENDS,
    "smoothness": {"k": "n"} | {f"{name}{end}": "f" for name in ("maps", "fall") for end in ("", "_low", "_high")},
    "arms": {"label": "i", "class": "s", "limb": "s", "recordings": "i", "share": "f", "even": "f"} | _ENDS,
}


@dataclass(frozen=True, eq=False)
class MapEvaluation:
    """Tables on the maps of one network; see the functions of these names for columns.

    Attributes:
        curves, areas: of `faithfulness`.
        summary: of `Faithfulness.summary`.
        contrast: of `contrastivity`.
        random: of `randomisation`.
        stable: of `stability`.
        smoothness: of `map_smoothness`.
        arms: of `limb_shares`; without rows where no class is one-armed.
    """

    curves: pd.DataFrame
    areas: pd.DataFrame
    summary: pd.DataFrame
    contrast: pd.DataFrame
    random: pd.DataFrame
    stable: pd.DataFrame
    smoothness: pd.DataFrame
    arms: pd.DataFrame

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one parquet file per table into a folder, all or nothing; an earlier result there is replaced.

        Raises:
            OutputError: other files lie there.
        """
        tables = {f"{field.name}.parquet": getattr(self, field.name) for field in fields(self)}
        with atomic_folder(path, ours=lambda there: {each.name for each in there.iterdir()} <= tables.keys()) as folder:
            for name, table in tables.items():
                table.to_parquet(folder / name)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> MapEvaluation:
        """Read what `save` wrote.

        Raises:
            SkeletonFormatError: if a table is missing or damaged.
        """
        tables = {}
        for field in fields(cls):
            file = Path(path) / f"{field.name}.parquet"
            try:
                tables[field.name] = read_table(file, _LAYER | _COLUMNS[field.name])
            except (OSError, ValueError) as error:
                reason = " ".join(str(error).split())[:160]
                raise SkeletonFormatError(f"{file}: not a readable table ({reason}); evaluate again") from None
        return cls(**tables)


def evaluate_maps(
    network: nn.Module,
    data: SequenceSet,
    maps: Maps,
    *,
    reference: SequenceSet,
    feature_distances: Mapping[str, NDArray[np.float32]] | None = None,
    groups: ArrayLike | None = None,
    resample: ArrayLike | None = None,
    units: Sequence[Unit] = UNITS,
    replacement: Replacement = "mean-pose",
    sequences: int = 16,
    steps: int = 8,
    draws: int = 3,
    jitter: float = 0.01,
    repeats: int = 3,
    axes: Axes | None = None,
    form: MapForm = "own",
    k: int | None = None,
    dtw: DTWLike = None,
    seed: int = 0,
    device: str = "cpu",
    progress: bool | None = None,
) -> MapEvaluation:
    """All checks of the maps of one network.

    Source: docs/method.md, "L-STG-GradCAM", says of each check where it comes from.

    Args:
        data, maps: the N explained recordings, and their maps by `grad_cam_set`.
        reference: recordings of the mean pose; one-armed classes are found in them too, by `one_armed`.
        feature_distances: layer -> (N, N) DTW distances of the features.
        groups: (N,) groups, say subjects, whose members are no neighbours of each other, or `None`.
        resample: (N,) groups that intervals leave out as a whole; "recordings": every one by itself; `None`: `groups`,
            and the set's "subject" where there are none or no graph is made.
        sequences: number of recordings, spread over the classes, for all checks except smoothness and arms.
        steps, draws, units, replacement: of `faithfulness`.
        jitter: of `stability`.
        repeats: of `randomisation`.
        axes: of the layers, as in `record`.
        form, k, dtw: of `map_smoothness`.
    """
    few = _spread(data.labels, sequences)
    some_groups, some_resample = of_nodes(groups, few), of_nodes(resample, few)
    some, chosen = data.select(few), [maps[i] for i in few]
    tested: Faithfulness = faithfulness(
        network, some, chosen, reference=reference, units=units, replacement=replacement, steps=steps, draws=draws,
        groups=some_groups, resample=some_resample, seed=seed, device=device, progress=progress,
    )  # fmt: skip
    return MapEvaluation(
        curves=tested.curves,
        areas=tested.areas,
        summary=tested.summary(seed=seed),
        contrast=contrastivity(
            network, some, layers=list(maps[0]), axes=axes, resample=some_resample, seed=seed, device=device
        ),
        random=randomisation(
            network, some, chosen, axes=axes, resample=some_resample, repeats=repeats, seed=seed, device=device
        ),
        stable=stability(
            network, some, chosen, jitter=jitter, axes=axes, resample=some_resample, seed=seed, device=device
        ),
        smoothness=map_smoothness(
            maps,
            data.labels,
            form=form,
            k=k,
            groups=groups,
            resample=resample,
            feature_distances=feature_distances,
            seed=seed,
            dtw=dtw,
        ),
        arms=limb_shares(maps, data, one_armed(reference), groups=groups, resample=resample, seed=seed),
    )


def _spread(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """`count` recordings, in turn from each class; classes start at different members, who may be different people."""
    turn = np.zeros(len(labels), dtype=np.int64)
    for rank, c in enumerate(np.unique(labels)):
        members = np.flatnonzero(labels == c)
        turn[members] = (np.arange(len(members)) - rank) % len(members)
    order = np.lexsort((labels, turn))
    if count < len(np.unique(labels)):  # fewer than one each: take evenly spaced classes
        first = order[: len(np.unique(labels))]
        order = first[np.unique(np.linspace(0, len(first) - 1, count).round().astype(int))]
    return np.sort(order[:count])
