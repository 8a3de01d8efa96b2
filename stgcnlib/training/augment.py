"""Training batches: recordings cropped and resampled in time, and varied as bodies vary.

Everything is done on whole batches of tensors kept in memory, so that feeding a network costs little beside
running it. Nothing here touches torch's global generator.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stgcnlib.sequences import SequenceSet

__all__ = ["Augmentation", "TrainingBatches"]

LENGTH_SHUFFLE = 0.2  # standard deviation of noise on the logarithm of lengths, by which recordings are sorted


@dataclass(frozen=True)
class Augmentation:
    """How far a recording may be varied each time it is seen.

    Attributes:
        crop: shortest piece of a recording that is cut out, as a share of its frames; 1 keeps all.
        tempo: largest factor by which a batch is slowed down or sped up (where batches keep the recordings' tempo).
        rotation: largest turn about the vertical z axis, in degrees (3-D layouts only).
        tilt: largest turn about the horizontal axes, in degrees (3-D layouts only).
        scale: largest change of size, as a share.
        jitter: standard deviation of noise on each coordinate, in the data's unit.
        mirror: swap left and right in half of the recordings; only where no class depends on the side.
    """

    crop: float = 0.6
    tempo: float = 1.25
    rotation: float = 20.0
    tilt: float = 5.0
    scale: float = 0.1
    jitter: float = 0.01
    mirror: bool = False


class TrainingBatches:
    """Batches (N, C, T, V, M) of a SequenceSet with the wanted outputs of each, new ones in every epoch.

    Every recording is seen once per epoch. A network must not be fed padding (it would enter batch statistics and
    pooling), so all recordings of a batch have as many people, M, as when they are evaluated and recorded, and are
    resampled to one length: `frames`, or, for `None`, near their own.
    In the latter case a batch gathers recordings of similar length, and the network meets motion at the tempo at
    which it is evaluated and recorded.

    Args:
        data: the training part.
        batch_size: most recordings in a batch; batches of an epoch are made equally large.
        frames: frames of every batch, or `None`.
        augment: how to vary recordings, or `None` to feed them whole and as they are.
        seed: with the epoch, decides order and variation; a training that is resumed gets the same batches.
        wanted: (N,) or (N, Q) what comes with each batch; `None` for the labels.
    """

    def __init__(
        self,
        data: SequenceSet,
        *,
        batch_size: int,
        frames: int | None,
        augment: Augmentation | None,
        seed: int,
        wanted: Tensor | None = None,
    ) -> None:
        self.batch_size, self.frames, self.augment, self.seed = batch_size, frames, augment, seed
        self.epoch = 0
        self._layout = data.layout
        lengths = data.lengths
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        frames_shape = (int(data.people_counts.max()), len(data.layout), data.channels)
        flat = np.zeros((int(lengths.sum()), *frames_shape), dtype=np.float32)
        for i, start in enumerate(starts):
            people = data.people(i)
            flat[start : start + people.shape[1], : people.shape[0]] = people.transpose(1, 0, 2, 3)
        self._flat = torch.from_numpy(flat)
        self._starts = torch.from_numpy(starts)
        self._lengths = torch.from_numpy(lengths)
        self._people = torch.from_numpy(data.people_counts.astype(np.int64))
        self._kinds = torch.unique(self._people).tolist()
        self._wanted = torch.from_numpy(data.labels) if wanted is None else wanted

    def __len__(self) -> int:
        """Batches in an epoch."""
        return sum(self._batches(int((self._people == M).sum())) for M in self._kinds)

    def _batches(self, count: int) -> int:
        return math.ceil(count / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of the current `epoch` and what is wanted of them: the same whenever that epoch is asked for."""
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + self.epoch) % 2**63)
        for members in self._order(generator):
            yield self._batch(members, generator), self._wanted[members]

    def _order(self, generator: torch.Generator) -> list[Tensor]:
        count = len(self._wanted)
        order = torch.randperm(count, generator=generator)
        if self.frames is None:
            # Sorted by a noisy length, so that batches are alike in length but never the same twice.
            noise = LENGTH_SHUFFLE * torch.randn(count, generator=generator)
            order = torch.argsort(torch.log(self._lengths.float()) + noise)
        batches: list[Tensor] = []
        for M in self._kinds:
            own = order[self._people[order] == M]
            batches += torch.tensor_split(own, self._batches(len(own)))
        return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]

    def _batch(self, members: Tensor, generator: torch.Generator) -> Tensor:
        lengths = self._lengths[members].float()
        span, offset, tempo = lengths, torch.zeros_like(lengths), 1.0
        if self.augment is not None:
            share, place = torch.rand(2, len(members), generator=generator)
            span = torch.clamp(lengths * (self.augment.crop + (1 - self.augment.crop) * share), min=1)
            offset = place * (lengths - span)
            tempo = self.augment.tempo ** float(2 * torch.rand((), generator=generator) - 1)
        frames = self.frames or max(1, round(float(span.median()) * tempo))
        x = self._between_frames(members, offset, span, frames)
        if self.augment is not None:
            x = self._vary(x, self.augment, generator)
        return x.permute(0, 4, 1, 3, 2).contiguous()

    def _between_frames(self, members: Tensor, offset: Tensor, span: Tensor, frames: int) -> Tensor:
        """`frames` frames (N, T, M, V, C), evenly over `span` frames from `offset`, linear in time."""
        at = offset[:, None] + torch.linspace(0, 1, frames) * (span[:, None] - 1).clamp(min=0)
        last = self._lengths[members][:, None] - 1
        before = at.long().minimum(last)
        after = (before + 1).minimum(last)
        share = (at - before)[..., None, None, None].clamp(0, 1)
        start, people = self._starts[members][:, None], int(self._people[members[0]])
        return torch.lerp(self._flat[start + before, :people], self._flat[start + after, :people], share)

    def _vary(self, x: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
        """Turned, scaled, mirrored and jittered copies of (N, T, M, V, C); absent people stay zero."""
        count, axes = len(x), min(self._layout.dimensions, x.shape[-1])
        position, rest = x[..., :axes], x[..., axes:]
        present = position.any(dim=-1, keepdim=True)
        draws = 2 * torch.rand(count, 4, generator=generator) - 1
        matrix = torch.eye(axes).expand(count, -1, -1)
        if axes == 3:
            limits = torch.tensor([how.tilt, how.tilt, how.rotation]).deg2rad()
            matrix = _rotations(draws[:, :3] * limits)
        matrix = matrix * (1 + how.scale * draws[:, 3, None, None])
        position = torch.einsum("ntmvc,ndc->ntmvd", position, matrix)
        if how.jitter:
            noise = how.jitter * torch.randn(position.shape, generator=generator)
            position = position + noise * present
        x = torch.cat([position, rest], dim=-1)
        if how.mirror and self._layout.mirror:
            chosen = torch.rand(count, generator=generator) < 0.5
            x[chosen] = self._mirrored(x[chosen])
        return x

    def _mirrored(self, x: Tensor) -> Tensor:
        swap = torch.arange(x.shape[-2])
        for left, right in self._layout.mirror:
            swap[left], swap[right] = right, left
        x = x[..., swap, :]
        x[..., 0] = -x[..., 0]
        return x


def _rotations(angles: Tensor) -> Tensor:
    """(N, 3) angles about x, y and z, in radians, as matrices (N, 3, 3)."""
    generators = torch.zeros(3, 3, 3)
    for axis, (a, b) in enumerate([(1, 2), (2, 0), (0, 1)]):
        generators[axis, a, b], generators[axis, b, a] = -1.0, 1.0
    return torch.matrix_exp(torch.einsum("na,abc->nbc", angles, generators))
