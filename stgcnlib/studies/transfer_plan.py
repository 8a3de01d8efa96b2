"""The plan of a transfer study: which fits there are, from which source, and whom each leaves out for validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SequenceError, StudyError, shorten
from stgcnlib.sequences import SequenceSet

__all__ = ["EPOCHS", "FROZEN", "PROBE", "SCRATCH", "VALIDATION_SHARE", "plan_fits", "validation_part",
           "validation_unit"]  # fmt: skip

EPOCHS = 15
FROZEN, SCRATCH, PROBE = "frozen", "from scratch", "linear probe"

VALIDATION_SHARE = 0.2
"""Share of the people, or recordings, of the target's training part that a fit leaves out for validation."""
FEWEST_PEOPLE = 3
"""With fewer people, recordings are left out for validation instead of whole people."""


def plan_fits(
    source: Any, frozen: Sequence[int] | None, seeds: int | Sequence[int], *, sources: int = 1
) -> dict[str, Any]:
    """What a transfer study fits: plain values blocks, frozen, seeds, sources, and fits, the probes among them.

    Fit number j, of seed j, begins at source network j modulo `sources` and leaves part j of the training people out
    for validation, whatever its method: all methods of one seed are compared on equal terms.

    Args:
        source: a network with `layer_names`, the blocks that can be frozen.
        frozen, seeds: as of `transfer_study`.
        sources: number of source networks.

    Raises:
        StudyError: a number of frozen blocks out of range, or no seed.
    """
    blocks = len(getattr(source, "layer_names", ()))
    chosen = sorted(set(range(blocks + 1) if frozen is None else frozen))
    if not blocks or not chosen or not 0 <= chosen[0] <= chosen[-1] <= blocks:
        raise StudyError(
            f"frozen is {shorten(chosen)}; {type(source).__name__} has {blocks} blocks: choose 0 to {blocks}"
        )
    which = list(range(seeds)) if isinstance(seeds, int) else list(dict.fromkeys(seeds))
    if not which:
        raise StudyError(f"seeds is {seeds!r}; at least one is needed")
    fits: list[dict[str, Any]] = []
    for number, seed in enumerate(which):
        methods = [(PROBE, -1), *((FROZEN, f) for f in chosen), (SCRATCH, -1)]
        about = {"seed": seed, "number": number}
        fits += [{"method": method, "frozen": f, **about} for method, f in methods]
    return {
        "blocks": blocks, "frozen": chosen, "seeds": which, "sources": min(sources, len(which)), "fits": fits,
    }  # fmt: skip


def validation_unit(train: SequenceSet, by: str) -> str | None:
    """What is held out as a whole for validation: the group, or `None` where it has fewer than three members."""
    return by if by in train.groups and len(np.unique(train.groups[by])) >= FEWEST_PEOPLE else None


def validation_part(train: SequenceSet, number: int, *, by: str) -> NDArray[np.bool_]:
    """(N,) which recordings fit number `number` does not see: about a fifth, another one for each number.

    Whole people (or whatever `by` names) where there are at least three; else a fifth of each class's recordings.
    Everybody is held out once before anybody is held out again.

    Args:
        train: the target's training part.
        number: of the fit, from 0.
        by: name of the group.

    Raises:
        SequenceError: too few recordings to hold one out and keep one of a class.
    """
    rng = np.random.default_rng(0)
    if validation_unit(train, by) is not None:
        values = np.asarray(train.groups[by])
        people = rng.permutation(np.unique(values))
        return np.isin(values, people[_part(len(people), number)])
    held = np.zeros(len(train), dtype=np.bool_)
    for label in np.unique(train.labels):
        members = rng.permutation(np.flatnonzero(train.labels == label))
        if len(members) > 1:
            held[members[_part(len(members), number)]] = True
    if not held.any():
        raise SequenceError(
            f"train: {len(train)} recordings are too few to take a validation part from; give at least two of a class"
        )
    return held


def _part(count: int, number: int) -> NDArray[np.int64]:
    """Positions of part `number`; after the last position they begin again at 0."""
    size = max(1, round(VALIDATION_SHARE * count))
    return (np.arange(size) + number * size) % count
