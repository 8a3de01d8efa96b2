"""DTWOptions: which reading of "window-based DTW" is meant, checked once and passed around whole.

The definitions that the kernels implement are written here and nowhere else, and so are names and defaults: functions
take the options as ``**options: Unpack[DTWKeywords]``, and `names_options` lets their signatures show them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from numbers import Integral
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, Unpack, get_args

from stgcnlib.errors import SequenceError, suggest

__all__ = [
    "DTWKeywords",
    "DTWLike",
    "DTWOptions",
    "Metric",
    "Normalization",
    "Reading",
    "check_choice",
    "check_whole",
    "dtw_options",
    "names_options",
]

F = TypeVar("F", bound=Callable[..., Any])

Reading = Literal["sliding", "frames", "segments"]
Metric = Literal["euclidean", "sqeuclidean", "cosine"]
Normalization = Literal["length", "path"]


@dataclass(frozen=True)
class DTWOptions:
    """One reading of window-based DTW; each choice is ours (docs/method.md, "Distance").

    A sequence of T frames in R^D becomes a series of n items; DTW accumulates
    ``A(a, b) = c(a, b) + min(A(a-1, b), A(a, b-1), A(a-1, b-1))`` from (0, 0) to (n-1, m-1).

    Attributes:
        reading: what an item is.
            "frames": item t is frame t.
            "sliding": item i is the window of frames i*stride … i*stride + window - 1, stacked into one
            vector; there are ``(T - window) // stride + 1`` of them, and frames after the last full window
            are left out. A sequence shorter than `window` is one window, padded by repeating its last frame.
            "segments": the sequence of T frames is cut into q = `segments` parts; part r holds the frames
            ``floor(r T / q)`` up to (excluding) ``max(floor((r + 1) T / q), floor(r T / q) + 1)``. Every part
            has at least one frame; where T < q, frames are repeated. DTW on frames runs inside each pair of
            parts, each result is normalised, and the distance is the mean of the q results.
        window: frames per window ("sliding" only).
        stride: frames between successive windows ("sliding" only).
        band: Sakoe-Chiba radius, in items (frames or windows) of the shorter series, around the length-corrected
            diagonal: cells with ``2 |a (m-1) - b (n-1)| <= max(2 band, 1) (max(n, m) - 1)``. Symmetric in the two
            sequences, never empty (band 0 is the diagonal rounded to the nearest items), and a wider band contains a
            narrower one. With "segments" it holds inside each part. None: every cell.
        segments: number of parts q ("segments" only).
        metric: cost of two items: "euclidean", "sqeuclidean", or "cosine" (1 - cos of the stacked windows; two
            zero vectors are at 0, a zero and a non-zero vector at 1).
        normalize: "length" divides by n + m; "path" by the number of cells of the optimal path (of the
            shortest one where several are optimal; no lower bound is known for it); None divides by nothing.

    Raises:
        SequenceError: a value is out of range, or a name is unknown; names the option and what to give.
    """

    reading: Reading = "sliding"
    window: int = 9
    stride: int = 1
    band: int | None = None
    segments: int = 4
    metric: Metric = "euclidean"
    normalize: Normalization | None = "length"

    def __post_init__(self) -> None:
        check_choice("reading", self.reading, get_args(Reading))
        check_choice("metric", self.metric, get_args(Metric))
        if self.normalize is not None:
            check_choice("normalize", self.normalize, get_args(Normalization))
        for field in ("window", "stride", "segments"):
            check_whole(field, getattr(self, field), least=1)
        if self.band is not None:
            check_whole("band", self.band, least=0)

    @property
    def item_frames(self) -> int:
        """Frames per item: the window for "sliding", else 1."""
        return self.window if self.reading == "sliding" else 1

    @property
    def item_stride(self) -> int:
        """Frames between items: the stride for "sliding", else 1."""
        return self.stride if self.reading == "sliding" else 1

    @property
    def parts(self) -> int:
        """Independent recursions per pair: q for "segments", else 1."""
        return self.segments if self.reading == "segments" else 1

    def at_temporal_stride(self, frames: int) -> DTWOptions:
        """The same window and band, in frames of a layer that keeps one of `frames` input frames.

        Both are divided and rounded up; the stride between windows stays as it is.
        """
        band = None if self.band is None else -(-self.band // frames)
        return replace(self, window=-(-self.window // frames), band=band)


class DTWKeywords(TypedDict, total=False):
    """The fields of `DTWOptions` as keyword arguments, for type checkers."""

    reading: Reading
    window: int
    stride: int
    band: int | None
    segments: int
    metric: Metric
    normalize: Normalization | None


DTWLike: TypeAlias = DTWOptions | Mapping[str, Any] | None
"""All options, a mapping of some of their fields, or None for the defaults."""


def dtw_options(dtw: DTWLike = None, /, **changes: Unpack[DTWKeywords]) -> DTWOptions:
    """Options from `dtw`, which is None, a `DTWOptions` or a mapping of its fields, with the fields of `changes` set.

    Raises:
        SequenceError: a value is out of range, or `dtw` has a name that no option has.
        TypeError: a keyword that no option has.
    """
    known = tuple(field.name for field in fields(DTWOptions))
    for name in changes:
        if name not in known:
            raise TypeError(f"unexpected keyword argument {name!r}: no option of DTW; {suggest(name, known)}")
    if isinstance(dtw, DTWOptions):
        return replace(dtw, **changes) if changes else dtw
    for name in dtw or {}:
        if name not in known:
            raise SequenceError(f"dtw: no option is named {name!r}; {suggest(str(name), known)}")
    return DTWOptions(**{**(dtw or {}), **changes})


def names_options(function: F) -> F:
    """Show the options behind a function's ``**options`` by name and default in its signature."""
    signature = inspect.signature(function)
    own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    options = [
        inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type)
        for field in fields(DTWOptions)
    ]
    function.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    return function


def check_choice(field: str, value: Any, known: tuple[str, ...]) -> None:
    """Raise SequenceError with the nearest names unless `value` is one of `known`."""
    if value not in known:
        raise SequenceError(f"{field}={value!r} is unknown; {suggest(str(value), known)}")


def check_whole(field: str, value: Any, *, least: int) -> None:
    """Raise SequenceError unless `value` is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise SequenceError(f"{field}={value!r}; expected a whole number of at least {least}")
