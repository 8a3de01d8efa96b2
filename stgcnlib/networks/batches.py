"""Recordings as network input: batches (N, C, T, V, M) without padding, and checks that they fit.

Training, recording and explaining all feed networks through here, so that they see the same input.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stgcnlib.errors import LayoutError, SequenceError, StudyError
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["check_fit", "check_numbers", "check_scores", "equal_batches", "network_batch"]


def network_batch(people: Sequence[NDArray[np.float32]], *, frames: int | None = None) -> Tensor:
    """Recordings (M, T, V, C) with the same M as a network's input (N, C, T, V, M), float32.

    Shorter recordings than `frames` are followed by zeros, as in the published data feeders; `None`
    means that all have the same length.
    """
    longest = max(p.shape[1] for p in people) if frames is None else frames
    count, (M, _, V, C) = len(people), people[0].shape
    batch = np.zeros((count, C, longest, V, M), dtype=np.float32)
    for n, p in enumerate(people):
        batch[n, :, : p.shape[1]] = p.transpose(3, 1, 2, 0)
    return torch.from_numpy(batch)


def equal_batches(data: SequenceSet, batch_frames: int, *, frames: int | None = None) -> list[NDArray[np.int64]]:
    """Indices of recordings that can run together without padding: equal people and equal frames.

    A batch holds at most `batch_frames` frames of all its people (or one recording); with `frames` given,
    all recordings count as that long.
    """
    lengths = data.lengths if frames is None else np.full_like(data.lengths, frames)
    keys = np.stack([data.people_counts, lengths], axis=1)
    batches: list[NDArray[np.int64]] = []
    for M, T in np.unique(keys, axis=0):
        members = np.flatnonzero((keys == (M, T)).all(axis=1))
        size = max(1, batch_frames // int(M * T))
        batches += [members[k : k + size] for k in range(0, len(members), size)]
    return batches


def check_fit(network: nn.Module, data: SequenceSet) -> None:
    """Raise a `LayoutError` or `SequenceError` where recordings are of another skeleton or dimension."""
    layout = getattr(network, "layout", None)
    if isinstance(layout, SkeletonLayout) and layout.joints != data.layout.joints:
        raise LayoutError(
            f"the network is for layout {layout.name!r} ({len(layout)} joints), the recordings are of "
            f"{data.layout.name!r} ({len(data.layout)} joints); load a network for that layout"
        )
    channels = getattr(network, "channels", None)
    if isinstance(channels, int) and channels != data.channels:
        raise SequenceError(
            f"the network takes {channels} channels per joint, the recordings have {data.channels}; "
            f"load a network with channels={data.channels}"
        )


def check_numbers(values: NDArray[np.floating], what: str, recording: str) -> None:
    """Refuse values that a network computed from finite coordinates and that are not finite.

    Args:
        values: of one recording, any shape.
        what: what the values are, in a few words.
        recording: its name.

    Raises:
        StudyError: a value is NaN or infinite; names both, and what may be wrong with the network.
    """
    if not np.isfinite(values).all():
        raise StudyError(
            f"{what} of {recording!r} are NaN or infinite, though its coordinates are not: look at the network, not at "
            "the recording. Train it with a lower learning rate, or compare the checkpoint and the scale that it "
            "expects (data.published, data.normalize)"
        )


def check_scores(scores: Tensor, x: Tensor) -> Tensor:
    """What a network put out for a batch (N, C, T, V, M), if it is class scores (N, classes).

    Raises:
        SequenceError: if it is anything else; a network of one's own may not pool over people, or may return a tuple.
    """
    if isinstance(scores, Tensor) and scores.ndim == 2 and len(scores) == len(x):
        return scores
    found = f"a tensor {tuple(scores.shape)}" if isinstance(scores, Tensor) else f"a {type(scores).__name__}"
    raise SequenceError(
        f"the network puts out {found} for a batch (N, C, T, V, M) = {tuple(x.shape)}; expected class scores "
        f"({len(x)}, classes), one row per recording"
    )
