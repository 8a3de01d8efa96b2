"""Samples of recordings, stratified by class and group: which are drawn, and sentences that describe them.

A sample is a prefix of one random order, so that a smaller sample of the same seed is part of a larger one. Nothing is
measured here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import StudyError, shorten
from stgcnlib.groups import BLOCK, SUBJECT, counted, group_codes, strata

if TYPE_CHECKING:
    from stgcnlib.sequences import SequenceSet

__all__ = ["LEAST", "NodeSample", "draw_nodes", "even_order", "proportional_order", "spread_group"]

LEAST = 2
"""Fewest recordings of a class in a sample, where the class has as many: one alone has no neighbour of its class."""
CLASS, QUARTER = "class", "quarter of the target"
_STREAM = 15  # keeps these draws apart from others of the same seed


@dataclass(frozen=True, eq=False)
class NodeSample:
    """The recordings of a part that are nodes of the DS-Graphs.

    Attributes:
        indices: (n,) int64, ascending, of the part's recordings.
        part: name of the part: "test", "train" or "all".
        kinds: name of each class, or quarter of the target where there are no classes.
        held: (kinds,) int64, recordings of each in the part.
        taken: (kinds,) int64, recordings of each in the sample.
        asked: what the study asks for: so many recordings of each class, or in all.
        per_class: whether `asked` is of each class.
        by: what the sample is stratified by, such as ("class", "subject").
    """

    indices: NDArray[np.int64]
    part: str
    kinds: tuple[str, ...]
    held: NDArray[np.int64]
    taken: NDArray[np.int64]
    asked: int
    per_class: bool
    by: tuple[str, ...]

    @property
    def whole(self) -> int:
        """Number of recordings in the part."""
        return int(self.held.sum())

    @property
    def complete(self) -> bool:
        """Whether no recording of the part is left out."""
        return len(self.indices) == self.whole

    def in_short(self) -> str:
        """A few words for a table: "a sample of 16,487"."""
        return f"all {self.whole:,} of the part" if self.complete else f"a sample of {self.whole:,}"

    def sentences(self) -> list[str]:
        """What a reader has to know: how many of how many, how many of each class, and classes that have too few."""
        asked = f"{self.asked:,} recordings of each class" if self.per_class else f"{self.asked:,} nodes"
        of_part = "" if self.part == "all" else f" of the {self.part} part"
        if self.complete:
            return [
                f"The study asks for a sample of {asked}, but there are no more recordings: all "
                f"{self.whole:,}{of_part} are nodes of the DS-Graphs."
            ]
        found = [
            f"The nodes of the DS-Graphs are a sample: {len(self.indices):,} of the {self.whole:,} recordings"
            f"{of_part}, {_span(self.taken[self.held > 0])} of each {self.by[0]}, stratified by "
            f"{' and '.join(self.by)}. Label smoothness depends on the number of nodes; the page on geometry shows how."
        ]
        few = self._kinds((self.held > 0) & (self.held < self.asked)) if self.per_class else []
        if few:
            found.append(
                f"{counted(len(few), 'class has', 'classes have')} fewer than {self.asked:,} recordings, and all of "
                f"them are nodes: {shorten(few)}."
            )
        if alone := self._kinds(self.taken == 1):
            found.append(
                f"{counted(len(alone), 'class has', 'classes have')} a single node, which has no neighbour of its own "
                f"class: {shorten(alone)}."
            )
        return found

    def _kinds(self, chosen: NDArray[np.bool_]) -> list[str]:
        return [name for name, each in zip(self.kinds, chosen, strict=True) if each]


def draw_nodes(
    data: SequenceSet, *, part: str, per_class: int | None = None, nodes: int | None = None, seed: int = 0
) -> NodeSample:
    """A stratified sample of recordings; all of them where there are not more.

    Args:
        data: N recordings of the part.
        part: its name, for the words.
        per_class: number of each class (or quarter of the target), spread evenly over the groups of `spread_group`.
        nodes: number in all, in proportion to the classes and groups, with at least `LEAST` of each class. Give either
            `per_class` or `nodes`.
        seed: of the order in which recordings are drawn.

    Raises:
        StudyError: `nodes` are too few for the classes; names the least.
    """
    codes, kinds = strata(data)
    group = spread_group(data)
    groups = None if group is None else data.groups[group]
    held = np.bincount(codes, minlength=len(kinds))
    if per_class is not None:
        order = even_order(codes, groups, seed=seed)
        chosen = order[_places(codes[order]) < per_class]
    else:
        asked, least = int(nodes or 0), int(np.minimum(held, LEAST).sum())
        if asked < least:
            raise StudyError(
                f"graph.sample.nodes: {asked} nodes are too few for {int((held > 0).sum())} classes; {LEAST} of each "
                f"are {least} nodes: choose {least} or more"
            )
        chosen = proportional_order(codes, groups, seed=seed)[:asked]
    return NodeSample(
        indices=np.sort(chosen),
        part=part,
        kinds=tuple(kinds),
        held=held,
        taken=np.bincount(codes[chosen], minlength=len(kinds)),
        asked=int(per_class or nodes or 0),
        per_class=per_class is not None,
        by=(CLASS if data.class_names else QUARTER, *([] if group is None else [group])),
    )


def spread_group(data: SequenceSet) -> str | None:
    """The group over whose values a sample is spread: subject, else block; `None` where the data has neither."""
    return next((name for name in (SUBJECT, BLOCK) if name in data.groups), None)


def even_order(kinds: ArrayLike, groups: ArrayLike | None, *, seed: int) -> NDArray[np.int64]:
    """(N,) recordings in a random order; every prefix has equally many of each kind and, within it, of each group.

    Kinds and groups that have no more recordings are passed over.

    Args:
        kinds: (N,) int, the class of each recording, from 0.
        groups: (N,) its group; `None`: recordings of a kind are drawn at random.
        seed: of the order.
    """
    codes, cells, rng = _cells(kinds, groups, seed)
    within = _drawn(rng, cells, scaled=False)
    return _drawn_order(rng, codes, within, _places_of(codes, within).astype(np.float64))


def proportional_order(kinds: ArrayLike, groups: ArrayLike | None, *, seed: int) -> NDArray[np.int64]:
    """(N,) recordings in a random order; every prefix has each kind and, within it, each group in proportion.

    The first `LEAST` recordings of every kind come before all others. Arguments as `even_order`.
    """
    codes, cells, rng = _cells(kinds, groups, seed)
    within = _drawn(rng, cells, scaled=True)
    place = _places_of(codes, within)
    share = (place + 0.5) / np.bincount(codes)[codes]  # Webster's divisors: proportional, and prefixes are nested
    return _drawn_order(rng, codes, within, np.where(place < LEAST, place - LEAST, share))


def _cells(
    kinds: ArrayLike, groups: ArrayLike | None, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], np.random.Generator]:
    """Codes of the kinds, codes of kind and group together, and the generator."""
    codes = np.asarray(kinds, dtype=np.int64)
    group = np.arange(len(codes)) * 0 if groups is None else group_codes(groups, len(codes))
    return codes, codes * (int(group.max(initial=0)) + 1) + group, np.random.default_rng([seed, _STREAM])


def _drawn(rng: np.random.Generator, cells: NDArray[np.int64], *, scaled: bool) -> NDArray[np.float64]:
    """(N,) when a recording's turn comes within its kind: its random place in its group, plus the group's own offset.

    Scaled, places are divided by the group's number of recordings, so that large groups come more often.
    """
    place = _places_of(cells, rng.random(len(cells))).astype(np.float64)
    turn = place + rng.random(int(cells.max(initial=0)) + 1)[cells]
    return turn / np.bincount(cells)[cells] if scaled else turn


def _drawn_order(
    rng: np.random.Generator, codes: NDArray[np.int64], within: NDArray[np.float64], turn: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Recordings by turn; kinds with equal turns come in a random order."""
    lot = rng.random(int(codes.max(initial=0)) + 1)[codes]
    return np.lexsort((within, lot, turn)).astype(np.int64)


def _places_of(codes: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) how many recordings of the same code have a smaller value."""
    order = np.lexsort((values, codes))
    places = np.empty(len(codes), dtype=np.int64)
    places[order] = _places(codes[order])
    return places


def _places(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) how many of the recordings before have the same code."""
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    places = np.empty(len(codes), dtype=np.int64)
    places[order] = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    return places


def _span(counts: NDArray[np.int64]) -> str:
    """The least and the most: "50", "2 to 31"."""
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
