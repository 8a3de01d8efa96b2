"""The preparation that a checkpoint was trained with, if it predicts hardly better than chance: named ones are tried.

Published weights expect the preparation that they were trained with (`stgcnlib.transforms.PUBLISHED`); with any other
their predictions are wrong, but no error is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest
from torch import nn

from stgcnlib import transforms
from stgcnlib.errors import SequenceError, StgcnlibError
from stgcnlib.sequences import SequenceSet
from stgcnlib.training.evaluation import Evaluation, evaluate
from stgcnlib.transforms import PUBLISHED

__all__ = ["COLUMNS", "GIVEN", "near_chance", "preparation_advice", "preparation_name", "try_preparations"]

GIVEN = "given"
"""Column that marks the preparation in use."""
COLUMNS = ("preparation", "accuracy", "low", "high", "n", "chance", GIVEN)
"""Of the table of tried preparations."""
STREAMS = (("bone",), ("motion",), ("bone", "motion"))
KINETICS_STREAMS = (("kinetics-bone",), ("kinetics-motion",), ("kinetics-bone", "kinetics-motion"))
"""Streams that follow a preparation for Kinetics-Skeleton alone."""
BASES = tuple(name for name in PUBLISHED if (name,) not in (*STREAMS, *KINETICS_STREAMS))
NEAR, CLEAR, ENOUGH = 0.1, 0.4, 0.75  # accuracies, as shares of the way from chance to no error
CONFIDENCE = 0.99
RECORDINGS = 40

Prepare = Callable[[SequenceSet], SequenceSet]


def near_chance(evaluation: Evaluation) -> bool:
    """Whether the accuracy is within a tenth of the way from chance, the share of the largest class, to no error."""
    chance = _chance(evaluation.labels)
    return evaluation.accuracy < chance + NEAR * (1 - chance)


def preparation_name(*, normalize: bool = True, centre: str = "sequence", published: tuple[str, ...] = ()) -> str:
    """A preparation as the section `data` of a study says it, such as ``published: [ntu, bone]``."""
    if published:
        return f"published: [{', '.join(published)}]"
    if not normalize:
        return "normalize: false"
    return "normalize: true" if centre == "sequence" else f"normalize: true, centre: {centre}"


def try_preparations(
    network: nn.Module,
    data: SequenceSet,
    *,
    given: str | None = None,
    most: int = RECORDINGS,
    device: str = "cpu",
) -> pd.DataFrame:
    """How well a network predicts the same recordings, prepared in each of the named ways that fit them.

    They are as recorded, `normalize`, and each of `stgcnlib.transforms.PUBLISHED`. Where none of these goes three
    quarters of the way from chance to no error, each is also tried as a stream of bones, of motion, and of the bones'
    motion.

    Args:
        network: with trained weights.
        data: recordings with classes, not prepared; the test part, say.
        given: name of the preparation in use (`preparation_name`); `None`: as recorded.
        most: recordings at most, spread over the classes.
        device: where the network runs.

    Returns:
        One row per preparation, the best first: preparation, accuracy, low and high (99% Wilson interval), n
        (recordings), chance (share of the largest class among them), given.

    Raises:
        SequenceError: if the recordings have no classes, or there is no preparation of the name in use.
    """
    if not data.class_names:
        raise SequenceError("try_preparations: the recordings have no classes, so accuracy cannot be computed")
    few = data.select(_spread(data.labels, most))
    bases, streams = dict(_bases()), dict(_streams())
    used = preparation_name(normalize=False) if given is None else given
    if used not in {**bases, **streams}:
        names = tuple(name for name in used.removeprefix("published: [").removesuffix("]").split(", "))
        if not set(names) <= set(PUBLISHED):
            raise SequenceError(f"try_preparations: {used!r} names no preparation; see preparation_name")
        bases[used] = lambda each: transforms.published(each, *names)
    rows = _tried(network, few, bases, used, device)
    if used in streams:
        rows += _tried(network, few, {used: streams.pop(used)}, used, device)
    if max((_above_chance(row) for row in rows), default=0.0) < ENOUGH:
        rows += _tried(network, few, streams, used, device)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values("accuracy", ascending=False, kind="stable", ignore_index=True)


def preparation_advice(table: pd.DataFrame) -> str:
    """What `try_preparations` found, in a sentence or two; "" for an empty table (a network not near chance).

    Args:
        table: of `try_preparations`.
    """
    if not len(table):
        return ""
    used = table[table[GIVEN]]
    said = f"{used['accuracy'].iloc[0]:.0%}" if len(used) else "none"
    start = f"The checkpoint predicts {said} of {int(table['n'].iloc[0])} test recordings right, near chance"
    if not _found(table):
        return (
            f"{start}, and none of {len(table)} named preparations does clearly better: compare the order of the "
            "classes, the order of the joints and the unit of the recordings with what it was trained on."
        )
    best = table.iloc[0]
    return (
        f"{start}. This looks like another preparation: with data.{best['preparation']} it predicts "
        f"{best['accuracy']:.0%} right ({best['low']:.0%} to {best['high']:.0%})."
    )


def _bases() -> Iterator[tuple[str, Prepare]]:
    yield preparation_name(normalize=False), lambda data: data
    yield preparation_name(), transforms.normalize
    yield preparation_name(centre="frame"), lambda data: transforms.normalize(data, per="frame")
    for name in BASES:
        yield preparation_name(published=(name,)), PUBLISHED[name]


def _streams() -> Iterator[tuple[str, Prepare]]:
    found = [*STREAMS, *((base, *stream) for base in BASES for stream in STREAMS)]
    found += [(base, *stream) for base in BASES if base.startswith("kinetics") for stream in KINETICS_STREAMS]
    for names in found:
        yield preparation_name(published=names), lambda data, names=names: transforms.published(data, *names)  # type: ignore[misc]


def _tried(
    network: nn.Module, data: SequenceSet, preparations: dict[str, Prepare], used: str, device: str
) -> list[dict[str, Any]]:
    """Rows of the preparations that fit the recordings and the network; others are no candidates."""
    rows: list[dict[str, Any]] = []
    for name, prepare in preparations.items():
        try:
            found = evaluate(network, prepare(data), device=device)
        except StgcnlibError:
            continue
        right, n = int((found.predictions == found.labels).sum()), len(found.labels)
        low, high = binomtest(right, n).proportion_ci(CONFIDENCE, method="wilson")
        rows.append({"preparation": name, "accuracy": right / n, "low": float(low), "high": float(high), "n": n,
                     "chance": _chance(found.labels), GIVEN: name == used})  # fmt: skip
    return rows


def _found(table: pd.DataFrame) -> bool:
    """Whether the best one is clearly better than chance, is right twice as often as the one in use, and its interval
    excludes both. The interval treats recordings as independent, though those of a class are alike."""
    if not len(table):
        return False
    best = int(table["accuracy"].to_numpy().argmax())
    accuracy, low, chance = (float(table[name].iloc[best]) for name in ("accuracy", "low", "chance"))
    used = max(table.loc[table[GIVEN], "accuracy"], default=0.0)
    return low > max(used, chance) and accuracy >= max(2 * used, chance + CLEAR * (1 - chance))


def _above_chance(row: Mapping[str, Any]) -> float:
    return float((row["accuracy"] - row["chance"]) / max(1 - row["chance"], 1e-9))


def _chance(labels: NDArray[np.int64]) -> float:
    return float(np.bincount(labels).max() / len(labels)) if len(labels) else 1.0


def _spread(labels: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Indices of at most `most` recordings, one of each class in turn."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order], side="left")
    turn = np.arange(len(labels)) - starts  # its number among the recordings of its class
    return np.sort(order[np.lexsort((labels[order], turn))][:most])
