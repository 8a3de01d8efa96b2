"""Axis strings: the order of the axes of a layer's output, written as letters, such as "NCTV" or "(NM)CTV".

Letters are N recordings, M people, C channels, T frames and V joints; a group in parentheses is one axis that holds
several, the first outermost. Outputs are only rearranged here, never changed.
"""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor, nn

from stgcnlib.errors import AxesError, suggest

__all__ = ["ZOO", "Axes", "Sizes", "arranged", "axes_of", "parse"]

Axes: TypeAlias = str | Mapping[str, str]
"""One axis string for all layers, or one per layer name or pattern."""

ZOO = "(NM)CTV"
"""Axes of the layers of our own networks: the people of one recording are side by side along the first axis."""

_ORDER = "NMCTV"
_COMMON = (
    "(NM)CTV", "NCTV", "NTVC", "NCVT", "NVTC", "NVCT", "NMCTV", "NMTVC", "NCTVM", "(NM)TVC", "TNVC", "(NT)VC", "(NV)CT",
    "(NMT)VC", "(NMV)CT", "N(VC)T", "NCT", "NTC", "(NM)CT", "(NM)TC", "TNC",
)  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """What is known of a batch: N recordings, M people, V joints, and T frames at the input."""

    N: int
    M: int
    V: int
    T: int


def parse(axes: str) -> tuple[str, ...]:
    """The letters of each axis: "(NM)CTV" gives ``("NM", "C", "T", "V")``.

    Raises:
        AxesError: if the text is no axis string; says what one looks like.
    """
    groups = tuple(group.strip("()") for group in re.findall(r"\([A-Z]+\)|[A-Z]", axes))
    letters = "".join(groups)
    written = "".join(f"({g})" if len(g) > 1 else g for g in groups)
    sound = written == axes and set(letters) <= set(_ORDER) and len(set(letters)) == len(letters) and "N" in letters
    if not sound or any("C" in group and "T" in group for group in groups):
        raise AxesError(
            f"{axes!r} is no axis string; write each of N (recordings), M (people), C (channels), T (frames) and V "
            "(joints) at most once, N always, in the order of the output's axes, such as 'NCTV', 'NTVC' or '(NM)CTV' "
            "(C and T not in one group)"
        )
    return groups


def axes_of(network: nn.Module, name: str, axes: Axes | None) -> str:
    """The axis string of a layer: from `axes`, else from ``network.layer_axes``, else `ZOO`.

    Raises:
        AxesError: if a string is no axis string, or a pattern fits no module of the network.
    """
    for source in (axes, getattr(network, "layer_axes", None)):
        if isinstance(source, str):
            parse(source)
            return source
        for pattern, value in (source or {}).items():
            parse(value)
            if not fnmatch.filter(modules := [n for n, _ in network.named_modules() if n], pattern):
                raise AxesError(f"axes: {type(network).__name__} has no layer {pattern!r}; {suggest(pattern, modules)}")
            if fnmatch.fnmatchcase(name, pattern):
                return value
    return ZOO


def arranged(tensor: Tensor, axes: str, sizes: Sizes, *, name: str) -> Tensor:
    """A layer's output as (N, M, C, T, V); a letter that its axes lack has size 1.

    Raises:
        AxesError: if the shape does not agree with the axes and this batch; names them, and axes that fit.
    """
    groups = parse(axes)
    wrong = _misfit(tuple(tensor.shape), groups, sizes)
    if wrong is not None:
        usual = [other for other in _COMMON if sizes.M > 1 or "M" not in other]
        fitting = [other for other in usual if _misfit(tuple(tensor.shape), parse(other), sizes) is None]
        likely = [other for other in fitting if _frames(tuple(tensor.shape), parse(other), sizes) <= sizes.T]
        mend = " or ".join(repr(other) for other in (likely or fitting)[:4])
        raise AxesError(
            f"layer {name!r} puts out {tuple(tensor.shape)}, which is not {axes!r}: {wrong} (a batch of N = {sizes.N} "
            f"recordings, M = {sizes.M} people, T = {sizes.T} frames, V = {sizes.V} joints); "
            + (f"it could be axes={mend}" if mend else "choose another layer, none of the usual axes fits")
        )
    known = {"N": sizes.N, "M": sizes.M, "V": sizes.V}
    for place, group in reversed(list(enumerate(groups))):
        if len(group) > 1:
            tensor = tensor.unflatten(place, [known.get(letter, -1) for letter in group])
    letters = "".join(groups)
    tensor = tensor.permute([letters.index(letter) for letter in _ORDER if letter in letters])
    for place, letter in enumerate(_ORDER):
        if letter not in letters:
            tensor = tensor.unsqueeze(place)
    return tensor


def _misfit(shape: Sequence[int], groups: Sequence[str], sizes: Sizes) -> str | None:
    """Why a shape does not agree with the groups, or `None`."""
    if len(shape) != len(groups):
        return f"it has {len(shape)} axes"
    known = {"N": sizes.N, "M": sizes.M, "V": sizes.V}
    for size, group in zip(shape, groups, strict=True):
        due = math.prod(known[letter] for letter in group if letter in known)
        free = any(letter not in known for letter in group)
        if size < 1 or (size % due if free else size != due):
            return f"{'*'.join(group)} cannot be {size}"
    return None


def _frames(shape: Sequence[int], groups: Sequence[str], sizes: Sizes) -> int:
    """Frames that a fitting shape would have."""
    known = {"N": sizes.N, "M": sizes.M, "V": sizes.V}
    for size, group in zip(shape, groups, strict=True):
        if "T" in group:
            return size // math.prod(known[letter] for letter in group if letter in known)
    return 1
