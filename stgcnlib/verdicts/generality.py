"""Generality: the paper's seventh claim, that it holds on several data sets and more advanced networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from stgcnlib.groups import counted
from stgcnlib.verdicts import depth
from stgcnlib.verdicts.outcome import FALLS, Outcome, Test, decided, directed_interval, moves, opening

if TYPE_CHECKING:
    from stgcnlib.studies import Comparison

__all__ = ["CLAIM", "judge_generality", "unequal_words"]

CLAIM = f"{depth.CLAIM}, on several data sets and more advanced networks"
NAN = float("nan")


def judge_generality(comparison: Comparison | pd.DataFrame) -> Outcome:
    """The paper's seventh claim from the verdicts on depth (claim 3) of several studies.

    It holds if the claim on depth holds in every study, and the studies cover at least two data sets and two kinds of
    network. It does not hold if the claim on depth holds in no study, and for at least one it is decided that it does
    not hold. Otherwise `holds` is None, and the sentence names the reasons. Each study counts by its own curve, so that
    unequal settings do not decide; they are named, because levels cannot be compared then. The tests say for each study
    whether smoothness falls from the input to the last layer, and whether its claim on depth holds.

    Source: the claim is the abstract's (docs/method.md, "Claims under test"); the rule is our choice.

    Args:
        comparison: of `compare_studies`; or a table with columns study, network, data, input, last, fall, fall_low,
            fall_high, holds (True, False, None).
    """
    studies = comparison if isinstance(comparison, pd.DataFrame) else comparison.studies
    unequal = "" if isinstance(comparison, pd.DataFrame) else unequal_words(comparison.unequal)
    states = [None if state is None or pd.isna(state) else bool(state) for state in studies["holds"]]
    networks, sets = sorted(set(studies["network"])), sorted(set(studies["data"]))
    if all(state is True for state in states) and len(networks) > 1 and len(sets) > 1:
        holds: bool | None = True
    elif not any(states) and False in states:
        holds = False
    else:
        holds = None
    rows: list[dict[str, Any]] = [{str(k): v for k, v in row.items()} for row in studies.to_dict("records")]
    tests = tuple(test for row, state in zip(rows, states, strict=True) for test in _tests(row, state=state))
    numbers: dict[str, Any] = {
        "holds": holds,
        "networks": networks,
        "data": sets,
        "studies": [{**row, "holds": state} for row, state in zip(rows, states, strict=True)],
        "falls": sum(test.answer is True for test in tests[::2]),
        "unequal": unequal,
    }
    return Outcome(_sentence(numbers, states), holds, numbers, CLAIM, _details(numbers, unequal), tests)


def unequal_words(unequal: pd.DataFrame) -> str:
    """'graph.k (A: 8, B: 30); dtw.window (A: 9, B: 5)'; empty where all settings that decide levels are equal.

    Args:
        unequal: of `Comparison`.
    """
    return "; ".join(
        f"{setting} ({', '.join(f'{row.study}: {row.value}' for row in rows.itertuples())})"
        for setting, rows in unequal.groupby("setting", sort=False)
    )


def _tests(row: dict[str, Any], *, state: bool | None) -> tuple[Test, Test]:
    """Whether smoothness falls in a study, and what its verdict on depth says, which is no single number."""
    low, high = float(row["fall_low"]), float(row["fall_high"])
    falls = Test(f"{row['study']}: falls with depth", float(row["fall"]), low, high, decided(low, high), ways=FALLS)
    return falls, Test(f"{row['study']}: claim on depth", NAN, NAN, NAN, state)


def _sentence(numbers: dict[str, Any], states: list[bool | None]) -> str:
    against = []
    if not all(state is True for state in states):
        against.append(f"{sum(state is True for state in states)} of {len(states)} studies bear it out")
    if len(numbers["networks"]) < 2:
        against.append(f"all studies have the same kind of network, {numbers['networks'][0]}")
    if len(numbers["data"]) < 2:
        against.append(f"all studies have the same data set, {numbers['data'][0]}")
    reason = f": {', and '.join(against)}" if against and numbers["holds"] is not True else ""
    undecided = None if any(states) else "is not decided here"
    return opening(f"{CLAIM},", holds=numbers["holds"], because=reason, where="here", undecided=undecided)


def _details(numbers: dict[str, Any], unequal: str) -> str:
    studies, networks, sets = numbers["studies"], numbers["networks"], numbers["data"]
    words = {True: "holds", False: "does not hold", None: "is not decided"}
    each = [
        f"{words[row['holds']]} for {row['study']} ({row['input']:.2f} at the input, {row['last']:.2f} at the last "
        f"layer: {moves(row['fall'], '.3f')}, {directed_interval(row['fall_low'], row['fall_high'], '.3f', FALLS)})"
        for row in studies
    ]
    sentences = [
        f"Of {counted(len(networks), 'kind of network', 'kinds of network')} ({', '.join(networks)}) and "
        f"{counted(len(sets), 'data set', 'data sets')} ({', '.join(sets)}), the claim on depth {'; '.join(each)}.",
        f"Label smoothness falls from the input to the last layer, with the whole interval, in {numbers['falls']} "
        f"of {len(studies)}.",
    ]
    if unequal:
        sentences.append(
            f"The studies are not comparable in level, because these settings are not equal: {unequal}. Rescaled "
            f"values, (S − floor) / (null − floor), are shown instead, and differences are not tested."
        )
    return " ".join(sentences)
