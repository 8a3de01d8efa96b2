"""Generality: the paper's seventh claim, that it holds on several data sets and more advanced networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from stgcnlib.verdicts import depth
from stgcnlib.verdicts.outcome import Outcome, counted, opening, span

if TYPE_CHECKING:
    from stgcnlib.studies import Comparison

__all__ = ["CLAIM", "judge_generality"]

CLAIM = f"{depth.CLAIM}, on several data sets and more advanced networks"


def judge_generality(comparison: Comparison | pd.DataFrame) -> Outcome:
    """The paper's seventh claim from the verdicts on depth (claim 3) of several studies.

    It holds if the claim on depth holds in every study, and the studies cover at least two data sets and two kinds of
    network. It does not hold if the claim on depth holds in none and fails outright in at least one. Anything between
    is only in part, with what stands against it named.

    Args:
        comparison: of `compare_studies`; or a table with columns study, network, data, input, last, fall, fall_low,
            fall_high, holds (True, False, None).
    """
    studies = comparison if isinstance(comparison, pd.DataFrame) else comparison.studies
    states = [None if state is None or pd.isna(state) else bool(state) for state in studies["holds"]]
    networks, sets = sorted(set(studies["network"])), sorted(set(studies["data"]))
    if all(state is True for state in states) and len(networks) > 1 and len(sets) > 1:
        holds: bool | None = True
    elif not any(states) and False in states:
        holds = False
    else:
        holds = None
    rows = studies.to_dict("records")
    sure = [row for row in rows if row["fall_low"] > 0]
    numbers: dict[str, Any] = {
        "holds": holds,
        "networks": networks,
        "data": sets,
        "studies": [{**row, "holds": state} for row, state in zip(rows, states, strict=True)],
        "falls": len(sure),
    }
    return Outcome(_paragraph(numbers, states), holds, numbers, CLAIM)


def _paragraph(numbers: dict[str, Any], states: list[bool | None]) -> str:
    studies, networks, sets = numbers["studies"], numbers["networks"], numbers["data"]
    count = len(studies)
    words = {True: "holds", False: "does not hold", None: "holds in part"}
    each = [
        f"{words[row['holds']]} for {row['study']} ({row['input']:.2f} at the input, {row['last']:.2f} at the last "
        f"layer, fall {row['fall']:.3f}, interval {span(row['fall_low'], row['fall_high'], '.3f')})"
        for row in studies
    ]
    against = []
    if not all(state is True for state in states):
        against.append(f"{sum(state is True for state in states)} of {count} studies bear it out")
    if len(networks) < 2:
        against.append(f"all studies have the same kind of network, {networks[0]}")
    if len(sets) < 2:
        against.append(f"all studies have the same data set, {sets[0]}")
    reason = f": {', and '.join(against)}" if against and numbers["holds"] is not True else ""
    return " ".join(
        [
            opening(f"{CLAIM},", holds=numbers["holds"], because=reason, where="here"),
            f"Of {counted(len(networks), 'kind of network', 'kinds of network')} ({', '.join(networks)}) and "
            f"{counted(len(sets), 'data set', 'data sets')} ({', '.join(sets)}), the claim on depth {'; '.join(each)}.",
            f"Label smoothness falls from the input to the last layer, with the whole interval, in {numbers['falls']} "
            f"of {count}.",
        ]
    )
