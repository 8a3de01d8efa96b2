"""Which recordings may be neighbours, how few candidates that leaves, and which groups intervals resample as a whole.

Groups are one value per recording, such as the subject who performed it or the day on which it was made. Only this
module turns them into barred pairs, counts and words; distances, graphs and random draws are made in other modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import GraphError, StudyError, suggest
from stgcnlib.sequences import SequenceSet

__all__ = [
    "ALL",
    "BLOCK",
    "RECORDINGS",
    "SUBJECT",
    "Exclusion",
    "Fewest",
    "Grouping",
    "at_least_two",
    "barred_pairs",
    "candidate_counts",
    "check_candidates",
    "counted",
    "fewest_candidates",
    "group_codes",
    "grouping",
    "largest_k",
    "main_neighbours",
    "neighbours_label",
    "neighbours_phrase",
    "of_nodes",
    "plural",
    "quarters",
    "resampled_count",
    "resampled_groups",
    "strata",
]

ALL = "all"
"""Label of neighbours where every other recording may be one."""
SUBJECT = "subject"
"""The group that is used where none is named."""
BLOCK = "block"
"""The group that is used where no subjects are known: blocks of time, of windows that were cut out of series."""
RECORDINGS = "recordings"
"""The value of `resample` with which every recording is resampled by itself."""


QUARTERS = ("lowest quarter", "second quarter", "third quarter", "highest quarter")
"""Kinds of recordings by a real target."""


class Fewest(NamedTuple):
    """The first node with the fewest candidates, and how many it has."""

    node: int
    candidates: int


def group_codes(groups: ArrayLike, count: int | None = None) -> NDArray[np.int64]:
    """(N,) number of each recording's group, from 0 in the order of the values; NaN counts as a value.

    Args:
        groups: (N,) values.
        count: what N must be; None: any.

    Raises:
        GraphError: groups are not one value per node, or their values cannot be put in order.
    """
    given = np.asarray(groups)
    if given.ndim != 1 or count not in (None, len(given)):
        expected = "N" if count is None else count
        raise GraphError(f"groups have shape {given.shape}; expected ({expected},), one value per node")
    try:
        return np.unique(given, return_inverse=True)[1].astype(np.int64)
    except TypeError:
        raise GraphError("groups mix values of several kinds; give numbers only, or names only") from None


def at_least_two(groups: ArrayLike | None) -> NDArray[Any] | None:
    """The groups, or None where they hold fewer than two different values."""
    given = np.asarray([] if groups is None else groups)
    return given if (given != given[:1]).any() else None


def of_nodes(groups: ArrayLike | None, nodes: NDArray[np.int64]) -> NDArray[Any] | str | None:
    """The groups of some nodes; None and the word "recordings" are returned unchanged."""
    return groups if groups is None or isinstance(groups, str) else np.asarray(groups)[nodes]


# -- neighbours --------------------------------------------------------------------------------


def barred_pairs(exclude: ArrayLike | None, count: int) -> NDArray[np.bool_]:
    """(N, N) bool: true where j may not be a neighbour of i. No recording is its own neighbour.

    Args:
        exclude: (N,) groups whose members are no neighbours of each other, an (N, N) bool mask of barred pairs, or
            None.
        count: N.

    Raises:
        GraphError: `exclude` is neither.
    """
    barred = np.eye(count, dtype=np.bool_)
    if exclude is None:
        return barred
    given = np.asarray(exclude)
    if given.shape == (count,):
        codes = group_codes(given)
        barred |= codes[:, None] == codes[None, :]
    elif given.shape == (count, count) and given.dtype == np.bool_:
        barred |= given
    else:
        raise GraphError(
            f"exclude has shape {given.shape} and dtype {given.dtype}; expected ({count},) group values or "
            f"a ({count}, {count}) bool mask"
        )
    return barred


@dataclass(frozen=True, eq=False)
class Exclusion:
    """Which recordings may not be neighbours: as `barred_pairs`, but without an (N, N) array unless one is given.

    Attributes:
        codes: (N,) group numbers, or None.
        mask: (N, N) bool as it was given, or None.
    """

    codes: NDArray[np.int64] | None = None
    mask: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, exclude: ArrayLike | None, count: int) -> Exclusion:
        """Arguments and errors as `barred_pairs`."""
        if exclude is None:
            return cls()
        if np.shape(exclude) == (count,):
            return cls(codes=group_codes(exclude))
        return cls(mask=barred_pairs(exclude, count))

    def barred(self, i: ArrayLike, j: ArrayLike) -> NDArray[np.bool_]:
        """Whether j may not be a neighbour of i, in the shape to which they broadcast; i never is one of itself."""
        first, second = np.asarray(i), np.asarray(j)
        if self.mask is not None:
            return np.asarray(self.mask[first, second] | (first == second))
        same = first == second if self.codes is None else self.codes[first] == self.codes[second]
        return np.asarray(same)

    def pair_limits(self, i: ArrayLike, j: ArrayLike, limits: NDArray[np.float64]) -> NDArray[np.float64]:
        """The largest distance at which a pair matters to i or j, from each node's limit (N,); -1: to neither."""
        one = np.where(self.barred(i, j), -1.0, limits[np.asarray(i)])
        other = np.where(self.barred(j, i), -1.0, limits[np.asarray(j)])
        return np.maximum(one, other)


def candidate_counts(exclude: ArrayLike | None, count: int) -> NDArray[np.int64]:
    """(N,) how many others may be a neighbour of each node; arguments as `barred_pairs`."""
    if exclude is None:
        return np.full(count, count - 1, dtype=np.int64)
    if np.shape(exclude) == (count,):
        codes = group_codes(exclude)
        return np.asarray(count - np.bincount(codes)[codes], dtype=np.int64)
    return np.asarray((~barred_pairs(exclude, count)).sum(axis=1), dtype=np.int64)


def fewest_candidates(exclude: ArrayLike | None, count: int) -> Fewest:
    """The node with the fewest candidates, the first of several; arguments as `barred_pairs`."""
    counts = candidate_counts(exclude, count)
    node = int(counts.argmin())
    return Fewest(node, int(counts[node]))


def largest_k(wanted: int, exclude: ArrayLike | None, count: int) -> int:
    """`wanted`, or the largest K that every node can provide; 1 where a node has no candidates at all."""
    return min(int(wanted), max(1, fewest_candidates(exclude, count).candidates))


def check_candidates(k: int, exclude: ArrayLike | None, count: int) -> None:
    """Refuse a `k` that some node cannot provide; further arguments as `barred_pairs`.

    Raises:
        GraphError: names the node with the fewest candidates, and the largest k.
    """
    node, candidates = fewest_candidates(exclude, count)
    given: Any = k
    if isinstance(given, bool) or not isinstance(given, Integral) or k < 1:
        raise GraphError(f"k={given!r}; expected at least one neighbour, and a whole number")
    if k > candidates:
        raise GraphError(
            f"k={k}, but node {node} has only {candidates} admissible candidates among {count} nodes"
            f"{' (itself and excluded nodes do not count)' if exclude is not None else ' (itself does not count)'}; "
            + (f"lower k to at most {candidates}, or give more recordings" if candidates else "exclude fewer pairs")
        )


# -- resampling --------------------------------------------------------------------------------


def resampled_groups(resample: ArrayLike | None, groups: ArrayLike | None) -> NDArray[Any] | None:
    """(N,) groups that intervals leave out as a whole; None: every recording by itself.

    Args:
        resample: (N,) groups, "recordings", or None for `groups`.
        groups: (N,) groups, or None.

    Raises:
        GraphError: an unknown word.
    """
    if isinstance(resample, str):
        if resample != RECORDINGS:
            raise GraphError(f"resample={resample!r} is unknown; give one value per node, {RECORDINGS!r} or None")
        return None
    chosen = groups if resample is None else resample
    return None if chosen is None else np.asarray(chosen)


def resampled_count(resample: ArrayLike | None, groups: ArrayLike | None) -> int | None:
    """How many groups intervals leave out one by one; None: recordings are taken by themselves."""
    drawn = resampled_groups(resample, groups)
    return None if drawn is None else len(np.unique(drawn))


# -- settings ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which recordings are no neighbours, and what intervals resample; the fields are arguments of `layer_geometry`.

    Attributes:
        groups: (N,) groups whose members are no neighbours of each other, or None.
        group: their name; "subject" where there are none.
        resample: (N,) groups that are resampled as a whole, "recordings", or None where no groups are known.
        unit: their name; "subject" where there are none.
    """

    groups: NDArray[Any] | None
    group: str
    resample: NDArray[Any] | str | None
    unit: str

    @property
    def neighbours(self) -> str:
        """Label of the neighbours that the main curve counts."""
        return neighbours_label(None if self.groups is None else self.group)


def grouping(
    known: Mapping[str, NDArray[Any]], *, leave_out: str | None = "auto", resample: str | None = "auto"
) -> Grouping:
    """The groups that the settings `graph.leave_out` and `geometry.resample` of a study choose.

    Args:
        known: name -> (N,) groups of some recordings.
        leave_out: group whose members are no neighbours of each other; "auto": subject, else block, if it is known;
            None: nobody.
        resample: group that intervals resample as a whole; "auto": subject, else block, if there are two; None:
            recordings.

    Raises:
        StudyError: there is no such group.
    """
    group, unit = (
        _chosen(field, wanted, known)
        for field, wanted in (("graph.leave_out", leave_out), ("geometry.resample", resample))
    )
    drawn = None if unit is None else known[unit]
    if resample == "auto":
        drawn = at_least_two(drawn)
    explicit = group is not None or resample is None
    return Grouping(
        groups=None if group is None else known[group],
        group=group or SUBJECT,
        resample=drawn if drawn is not None else RECORDINGS if explicit else None,
        unit=unit or SUBJECT,
    )


def _chosen(field: str, wanted: str | None, known: Iterable[str]) -> str | None:
    names = list(known)
    if wanted == "auto":
        return next((name for name in (SUBJECT, BLOCK) if name in names), None)
    if wanted is not None and wanted not in names:
        nearest = suggest(wanted, names) if names else "it has no groups at all: set it to null"
        raise StudyError(f"{field}: the data has no group {wanted!r}; {nearest}")
    return wanted


# -- kinds of recordings ------------------------------------------------------------------------


def strata(data: SequenceSet) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(N,) a number for each recording's kind, and the names of the kinds; pages show a few of each.

    Classes; where there are none, quarters of the recordings by their first target, lowest first; without targets, all
    are one kind.
    """
    if data.class_names:
        return data.labels, data.class_names
    if data.targets is None:
        return np.zeros(len(data), dtype=np.int64), ("all",)
    return quarters(data.targets[:, 0]), QUARTERS


def quarters(values: ArrayLike) -> NDArray[np.int64]:
    """(N,) which quarter of (N,) values each is in, from 0, the lowest."""
    given = np.asarray(values)
    codes = np.empty(len(given), dtype=np.int64)
    codes[given.argsort(kind="stable")] = np.arange(len(given)) * len(QUARTERS) // len(given)
    return codes


# -- words -------------------------------------------------------------------------------------


def neighbours_label(group: str | None) -> str:
    """How tables name a kind of neighbours: "other subjects", "other days"; None: "all"."""
    return ALL if group is None else f"other {plural(group)}"


def neighbours_phrase(group: str, *, same: bool = False) -> str:
    """The same in a sentence, behind "neighbours": "by other subjects", "by the same subject", "of other days"."""
    whose = f"the same {group}" if same else neighbours_label(group)
    return f"{'by' if group == SUBJECT else 'of'} {whose}"


def main_neighbours(labels: Iterable[str]) -> str:
    """The label of a table's main curve: neighbours of other groups where it has them, else all."""
    names = list(dict.fromkeys(labels))
    return next((name for name in names if name != ALL), ALL)


def counted(number: int, one: str, many: str) -> str:
    """'1 seed', '3 seeds'."""
    return f"{number} {one if number == 1 else many}"


def plural(name: str) -> str:
    """The English plural of a group's name; one that ends in a single s is left as it is."""
    if name.endswith(("ss", "x", "z", "ch", "sh")):
        return f"{name}es"
    if name.endswith("y") and name[-2:-1] not in set("aeiou"):
        return f"{name[:-1]}ies"
    return name if name.endswith("s") else f"{name}s"
