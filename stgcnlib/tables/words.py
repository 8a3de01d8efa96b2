"""Numbers with their intervals as one text per cell."""

from __future__ import annotations

import math

import pandas as pd

from stgcnlib.verdicts.outcome import FALLS, directed, directed_span

__all__ = ["fall", "falls", "span", "spans"]


def span(value: float, low: float, high: float, form: str) -> str:
    """``"0.31 (0.28 to 0.35)"`` by a format such as "{:.2f}", or the value alone where there is no interval."""
    if math.isnan(low) or math.isnan(high):
        return form.format(value)
    return f"{form.format(value)} ({form.format(low)} to {form.format(high)})"


def spans(table: pd.DataFrame, value: str, low: str, high: str, form: str, *, missing: str | None = None) -> list[str]:
    """`span` of each row, from the columns of these names.

    Args:
        missing: what stands for a NaN value; `None` writes it as a number.
    """
    return [
        missing if missing is not None and math.isnan(v) else span(v, a, b, form)
        for v, a, b in zip(table[value], table[low], table[high], strict=True)
    ]


def fall(value: float, low: float, high: float, form: str) -> str:
    """A fall as ``"0.17 (0.10 to 0.24)"``; a negative one as ``"rises by 0.17 (rises by 0.51 to falls by 0.18)"``.

    `form` is a format such as "{:z.2f}"; a fall without an interval stands alone.
    """
    if math.isnan(value):
        return form.format(value)
    text = directed(form.format(value), FALLS)
    if math.isnan(low) or math.isnan(high):
        return text
    return f"{text} ({directed_span(form.format(low), form.format(high), FALLS)})"


def falls(table: pd.DataFrame, value: str, low: str, high: str, form: str) -> list[str]:
    """`fall` of each row, from the columns of these names."""
    return [fall(v, a, b, form) for v, a, b in zip(table[value], table[low], table[high], strict=True)]
