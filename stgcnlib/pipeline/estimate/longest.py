"""Long recordings: sizes are found from their first frames, and one that is too long for a pass is refused before it.

A whole recording passes through a network at once, since temporal convolutions differ on pieces. The memory of a pass
grows with its frames, so that a short piece is enough to estimate it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stgcnlib.errors import StudyError, shorten
from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from torch import nn

    from stgcnlib.artefacts import Artefacts
    from stgcnlib.pipeline.study import Study

__all__ = ["MOST_MEMORY", "PIECE", "beginnings", "bytes_per_frame", "check_longest", "to_measure", "two_lengths"]

GIB = 2**30
PIECE = 512
"""Most frames of a recording that passes through a network only to find sizes."""
MOST_MEMORY = 3 * GIB
"""Bytes that one process may take for the longest recording, without `compute.memory_limit`."""
PROCESS = 0.5 * GIB
"""Bytes of a process that has loaded a network, before any pass, as measured."""
BESIDE = 1.35
"""Memory of a pass, over that of all modules' outputs, and of a block of distances, over that of its products.

With what the process keeps of its passes, 1.2 was measured for ST-GCN on 10,000 frames, and for distances.
"""


def beginnings(data: SequenceSet, most: int = PIECE) -> SequenceSet:
    """The recordings, each cut after `most` frames; the same object where none is longer."""
    if int(data.lengths.max()) <= most:
        return data
    return data.with_coords([coords[..., :most, :, :] for coords in data.coords])


def to_measure(study: Study, data: SequenceSet) -> SequenceSet:
    """The beginnings of a study's recordings, or whole recordings where the network may accept no other length."""
    return data if _fixed_length(study, data) else beginnings(data)


def two_lengths(study: Study, data: SequenceSet) -> SequenceSet:
    """The shortest and the longest recording, cut as by `to_measure`, but never from two lengths to one."""
    few = np.unique([data.lengths.argmin(), data.lengths.argmax()])
    whole, cut = data.select(few), to_measure(study, data).select(few)
    if len(np.unique(cut.lengths)) == len(np.unique(whole.lengths)):
        return cut
    shortest = int(whole.lengths.argmin())
    return cut.with_coords([
        coords[..., : PIECE // 2, :, :] if i == shortest else coords for i, coords in enumerate(cut.coords)
    ])  # fmt: skip


def _fixed_length(study: Study, data: SequenceSet) -> bool:
    """Whether the network may accept no other length: it is the user's own, and all recordings have the same."""
    return ":" in study.network.name and len(np.unique(data.lengths)) == 1


def bytes_per_frame(network: nn.Module, piece: SequenceSet, *, device: str) -> float:
    """Bytes of the outputs of all modules without submodules, per frame and person, in one pass of one recording.

    Args:
        network: any; is not changed.
        piece: short recordings, of which the first one passes.
        device: of the pass.
    """
    import torch

    from stgcnlib.activations.observe import observing
    from stgcnlib.networks.batches import network_batch

    found: list[int] = []

    def count(module: nn.Module, given: object, output: object) -> None:
        if isinstance(output, torch.Tensor):
            found.append(output.nbytes)

    handles = [each.register_forward_hook(count) for each in network.modules() if not any(each.children())]
    try:
        with observing(network, [], device=device) as forward:
            forward(network_batch([piece.people(0)]))
    finally:
        for handle in handles:
            handle.remove()
    return sum(found) / (int(piece.lengths[0]) * int(piece.people_counts[0]))


def check_longest(study: Study, look: Artefacts) -> None:
    """Refuse a recording whose estimated pass through the network takes more memory than one process may have.

    Args:
        study: the settings; `compute.memory_limit` is what a process may take, `MOST_MEMORY` without it.
        look: its artefacts; the network is asked for only where a recording is longer than `PIECE`.

    Raises:
        StudyError: names the longest recording, its frames, what it would take, and what to change.
    """
    data = look["sequences"]
    frames = data.lengths * data.people_counts
    if frames.max() <= PIECE or _fixed_length(study, data):
        return
    from stgcnlib.dtw.kernels import LANES

    longest = int(frames.argmax())
    piece = beginnings(data.select([longest]))
    each = bytes_per_frame(look["network/initial"], piece, device=study.compute.device)
    passing = BESIDE * each
    needed, what = PROCESS + passing * float(frames[longest]), f"a pass through {study.network.name}"
    # A block of distances has a value per frame of its longest recording and per frame of `LANES` others, padded to it.
    cell = BESIDE * 4.0 * LANES
    tile = PROCESS + cell * float(look["nodes"].lengths.max()) ** 2
    if tile > needed:
        needed, what, longest = tile, "a block of DTW distances", _index(data, look["nodes"])
    limit = study.compute.memory_limit
    allowed = MOST_MEMORY if limit is None else limit * GIB
    if needed <= allowed:
        return
    room, people = max(0.0, allowed - PROCESS), int(data.people_counts[longest])
    most = int(min(room / (passing * people), (room / cell) ** 0.5))
    many = int((data.lengths > most).sum())
    others = f" and {many - 1:,} more are too long" if many > 1 else " is too long"
    said = "of compute.memory_limit" if limit is not None else "that a process may take"
    raise StudyError(
        f"data.path: recording {shorten([data.names[longest]])} of {int(data.lengths[longest]):,} frames{others}: "
        f"{what} would take about {needed / GIB:.1f} GiB, more than the {allowed / GIB:.1f} GiB "
        f"{said}. About {most:,} frames fit: crop it or cut it into pieces before the run, keep fewer frames with "
        f"data.frame_step (or data.windows for values), leave it out with data.skip, or set compute.memory_limit "
        f"higher, in GiB"
    )


def _index(data: SequenceSet, nodes: SequenceSet) -> int:
    """Which of all recordings the longest node is."""
    return list(data.names).index(nodes.names[int(nodes.lengths.argmax())])
